"""Code that all steps share."""

from collections.abc import Callable
from pathlib import Path

Seen = dict[str, object]
Step = Callable[[Path], Seen]

EXPERIMENT = "official client"
CONTENT = bytes(range(256)) * 64
FILES = {
    "summary.txt": b"all is well\n",
    "empty.txt": b"",
    "plots/loss.png": CONTENT,
    "plots/deep/er/accuracy.png": CONTENT * 700,
}


def write(folder: Path) -> Path:
    """Write the files to be logged and return their folder."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
