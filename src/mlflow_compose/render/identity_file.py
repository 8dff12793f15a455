"""The file from which Compose reads the stack's id: one line is the tool's, all others the user's.

It is handled as bytes, since users' lines may be in any encoding.
"""

import re
import stat
from contextlib import suppress
from pathlib import Path

from mlflow_compose.files import write_whole
from mlflow_compose.render.files import read_bytes
from mlflow_compose.render.tree import File, Rendering

LINE = re.compile(rb"(?m)^STACK_IDENTITY=.*$")
ID = re.compile(rb"[0-9a-f]{16}")


def identity_in(folder: Path, rendering: Rendering) -> str:
    """Return the id of the stack whose rendered files are in a folder, empty if there is none."""
    for path in rendering.identity:
        # A file that cannot be read is reported by `write`.
        with suppress(OSError):
            line = LINE.search(read_bytes(folder / path) or b"")
            if line and (found := ID.search(line[0])):
                return found[0].decode()
    return ""


def with_identity(current: bytes | None, text: str) -> bytes | None:
    """Return a file with its id replaced and all else kept; None if it has no id."""
    rendered = text.encode()
    if current is None:
        return rendered
    (line,) = LINE.findall(rendered)
    return LINE.sub(line, current) if LINE.search(current) else None


def write_identity(path: Path, file: File) -> None:
    """Write the id into the file, which keeps its mode if it exists."""
    current = read_bytes(path)
    wanted = with_identity(current, file.text) or file.text.encode()
    if current != wanted:
        mode = file.mode if current is None else stat.S_IMODE(path.stat().st_mode)
        write_whole(path, wanted, mode)
