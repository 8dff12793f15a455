"""Write files into a folder as they arrive on standard input, in the format of `send_files`."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mlflow_compose.engines.inside.answer import Failure, Request

# As MLflow's server creates them.
MODE = 0o644


def main(request: Request) -> int:
    """Delete some files, and write others; return the number of files that were written.

    Args:
        request: `folder`; `deleted` and `keys`, paths below it.
    """
    top, keys, received = Path(request["folder"]), request["keys"], sys.stdin.buffer
    for key in (*request["deleted"], *keys):
        _check(key)
    top.mkdir(parents=True, exist_ok=True)
    for key in request["deleted"]:
        _delete(top, key)
    count = 0
    while header := received.readline():
        _write(top / keys[int(header.split()[0])], header, received)
        count += 1
    if count != len(keys):
        raise Failure(f"only {count} of {len(keys)} files arrived")
    return count


def _check(key: str) -> None:
    """Refuse a key that is no path below the folder: snapshots may come from anywhere."""
    parts = key.split("/")
    if not key or {"", ".", ".."} & {*parts}:
        raise Failure(f"{key!r} cannot be the path of an artifact")


def _delete(top: Path, key: str) -> None:
    path = top / key
    path.unlink(missing_ok=True)
    for folder in path.parents:
        # Folders do not exist in a bucket: one without files would be a difference.
        if folder == top or not folder.is_dir() or any(folder.iterdir()):
            break
        folder.rmdir()


def _write(path: Path, header: bytes, received: IO[bytes]) -> None:
    """Write one file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in _parts(header, received):
                file.write(part)
        temporary.chmod(MODE)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _parts(header: bytes, received: IO[bytes]) -> Iterator[bytes]:
    while size := int(header.split()[1]):
        part = received.read(size)
        header = received.readline()
        if len(part) < size or not header:
            raise Failure("the input ended within a file")
        yield part
