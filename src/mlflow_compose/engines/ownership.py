"""Whose data a folder of this machine holds: a note in it says so."""

from pathlib import Path

from mlflow_compose.errors import EngineError
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.stack import Stack

# In each folder of data: the id of the stack whose it is.
NOTE = ".mlflow-compose"
OTHER_FOLDER = "set MINIO_VOLUME_PATH in .env to a folder of its own"


def check_place(folder: Path, place: Path) -> None:
    """Make sure that a folder of the user's own is apart from the stack's.

    Args:
        folder: Of the stack's rendered files.
        place: The user's.

    Raises:
        EngineError: One of them is in the other: the stack's files would be served or deleted.
    """
    root, real = folder.parent.resolve(), place.resolve()
    own = (root / name for name in ("compose", "local", STATE_DIR))
    if root.is_relative_to(real) or any(real.is_relative_to(path) for path in own):
        raise EngineError(
            f"MINIO_VOLUME_PATH must be a folder apart from the stack's own, got {place}",
            hint=OTHER_FOLDER,
        )
    if (place / NOTE).is_dir():
        raise EngineError(
            f"MINIO_VOLUME_PATH must be a folder of data, and {place} is that of a stack",
            hint=OTHER_FOLDER,
        )


def owner_of(folder: Path) -> str:
    """Return the id of the stack whose data a folder holds, empty if it does not say."""
    try:
        return (folder / NOTE).read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return ""


def claim(folder: Path, identity: str) -> None:
    """Write down whose data a folder holds; the folder is there.

    A folder that this user may not write to stays without: another user owns it.
    """
    if owner_of(folder) == identity:
        return
    try:
        (folder / NOTE).write_text(f"{identity}\n", encoding="ascii")
    except PermissionError:
        return


def check_claim(folder: Path, stack: Stack, hint: str) -> None:
    """Make sure that a folder is this stack's, or does not say whose it is.

    Args:
        folder: Of data; it need not be there.
        stack: That is to use it.
        hint: What to do if it is another stack's.

    Raises:
        EngineError: It is another stack's.
    """
    owner = owner_of(folder)
    if owner and owner != stack.identity:
        raise EngineError(f"{folder} holds the data of another stack (id {owner})", hint=hint)
