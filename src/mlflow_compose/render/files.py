"""One file on disk: read, compare and replace it."""

import difflib
import hashlib
import stat
from pathlib import Path

from mlflow_compose.files import write_whole
from mlflow_compose.render.tree import File


def replace_file(path: Path, file: File) -> None:
    """Write a file atomically, and only if it differs."""
    if read(path) == file.text and stat.S_IMODE(path.stat().st_mode) == file.mode:
        return
    write_whole(path, file.text, file.mode)


def read(path: Path) -> str | None:
    """Return the text of a file, None if it does not exist."""
    # Not in text mode, which would hide changed line endings.
    content = read_bytes(path)
    return None if content is None else shown(content)


def read_bytes(path: Path) -> bytes | None:
    """Return the content of a file, None if it does not exist."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def shown(content: bytes) -> str:
    """Return the content of a file as text to compare or show, not to write."""
    return content.decode("utf-8", errors="replace")


def digest(text: str) -> str:
    """Return the digest of a text."""
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()


def diff(before: str, after: str, path: str) -> tuple[str, ...]:
    """Return the unified diff of two texts, line by line."""
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        f"{path} (on disk)",
        f"{path} (rendered)",
        "",
        "",
        3,
        "",
    )
    return tuple(lines)
