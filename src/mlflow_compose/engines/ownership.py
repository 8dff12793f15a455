"""Whose data a folder of this machine holds: a note in it says so."""

from pathlib import Path

from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Stack

# In each folder of data: the id of the stack whose it is.
NOTE = ".mlflow-compose"
OTHER_FOLDER = "set MINIO_VOLUME_PATH in .env to a folder of its own"


def owner_of(folder: Path) -> str:
    """Return the id of the stack whose data a folder holds, empty if it does not say."""
    try:
        return (folder / NOTE).read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""


def claim(folder: Path, identity: str) -> None:
    """Write down whose data a folder holds; the folder is there.

    A folder that this user may not write to stays without: containers of another user own it.
    """
    if owner_of(folder) == identity:
        return
    try:
        (folder / NOTE).write_text(f"{identity}\n", encoding="ascii")
    except PermissionError:
        return


def check_owner(folder: Path, stack: Stack, hint: str) -> None:
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
