"""Tell rclone the secret and the folder of an S3 key: each seat of a class has its own.

rclone runs this for each key (`--auth-proxy`), with `{"user": KEY_ID}` on standard input.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def main(environ: Mapping[str, str], request: Mapping[str, str]) -> int:
    """Print what rclone asks for; return the exit code, which refuses unknown keys."""
    keys = json.loads(Path(environ["KEYS_FILE"]).read_text(encoding="utf-8"))
    if not (key := keys.get(request.get("user"))):
        return 1
    folder = Path(key["folder"]).absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    json.dump(
        {"type": "local", "_root": str(folder), "_secret_access_key": key["secret"]}, sys.stdout
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ, json.load(sys.stdin)))
