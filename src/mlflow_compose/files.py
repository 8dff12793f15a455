"""Write files as a whole or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: str | bytes, mode: int) -> None:
    """Replace a file as a whole or not at all.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_new(path: Path, content: str | bytes, mode: int) -> None:
    """Write a file that does not exist yet, as a whole or not at all.

    Raises:
        FileExistsError: It exists, and was not changed.
        OSError: It cannot be written.
    """
    # O_EXCL: two commands at the same time cannot overwrite each other's file.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
    except BaseException:
        # An incomplete file would block the next attempt.
        path.unlink()
        raise
