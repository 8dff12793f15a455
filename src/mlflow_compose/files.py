"""Replace files atomically."""

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
