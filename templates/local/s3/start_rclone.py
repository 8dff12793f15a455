"""Become `rclone serve s3`, with the application's key as the only one that it knows.

The key goes in by the environment, since everybody on the machine may read a command line.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def main(environ: Mapping[str, str]) -> None:
    """Do it; returns only by an exception."""
    folder = Path(environ["S3_FOLDER"])
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        sys.exit(f"the folder {folder} cannot be made: {error.strerror}")
    os.environ["RCLONE_AUTH_KEY"] = Path(environ["AUTH_KEY_FILE"]).read_text(encoding="utf-8")
    # Without a configuration: only this folder is served, not what its owner has in clouds.
    options = ["--config", "", "--addr", environ["S3_ADDRESS"]]
    os.execvp("rclone", ["rclone", "serve", "s3", *options, str(folder)])


if __name__ == "__main__":
    main(os.environ)
