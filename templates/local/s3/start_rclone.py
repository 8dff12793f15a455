"""Become `rclone serve s3`, with the application's key as its only key, or with one for each seat.

The key is passed in the environment, since every user of the machine can read command lines.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def main(environ: Mapping[str, str]) -> None:
    """Start the server in place of this process; return only by an exception."""
    folder = Path(environ["S3_FOLDER"])
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        sys.exit(f"the folder {folder} cannot be created: {error.strerror}")
    served = [str(folder)]
    if "KEYS_FILE" in environ:
        # Split at spaces, so relative: the working directory's path may contain some.
        os.environ["RCLONE_AUTH_PROXY"] = "python -S s3/s3_key.py"
        # That program names a folder for each key.
        served = []
    else:
        os.environ["RCLONE_AUTH_KEY"] = Path(environ["AUTH_KEY_FILE"]).read_text(encoding="utf-8")
    # Without the user's rclone configuration: only this folder is served, no cloud storage.
    options = ["--config", "", "--addr", environ["S3_ADDRESS"]]
    os.execvp("rclone", ["rclone", "serve", "s3", *options, *served])


if __name__ == "__main__":
    main(os.environ)
