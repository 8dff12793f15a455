"""The folders that hold a stack's data."""

import secrets
import shutil
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Stack, Volume

# Root's own folders are closed to the user that the database runs as: its data is here, and
# where it would be is a link.
STATE = Path("/var/lib/mlflow-compose")
PASS_THROUGH = 0o711
# Beside the data there: the link that leads to it.
OWNER = "owner"


def of(stack: Stack, folder: Path) -> tuple[list[Path], set[Path]]:
    """Return the folders of a stack's services, and those of them that another user must reach.

    Args:
        stack: Whose.
        folder: Of its rendered files.
    """
    used = {
        folder / mount.target: bool(service.environment.get("RUN_AS"))
        for service in stack.services
        for mount in service.volumes
        if isinstance(mount, Volume)
    }
    return list(used), {path for path, of_another in used.items() if of_another}


def make(data: Path, folders: Sequence[Path], elsewhere: Collection[Path]) -> None:
    """Make the folders that are missing.

    Args:
        data: Where all of them are.
        folders: Of services.
        elsewhere: Those of them that another user must reach.
    """
    data.mkdir(exist_ok=True, mode=stat.S_IRWXU)
    for folder in folders:
        if folder in elsewhere:
            _make_elsewhere(folder)
        else:
            folder.mkdir(exist_ok=True, mode=stat.S_IRWXU)


def _make_elsewhere(folder: Path) -> None:
    if folder.is_symlink() and folder.exists():
        _check_owner(folder)
    elif not folder.exists():
        folder.unlink(missing_ok=True)
        folder.symlink_to(_new_place(folder.name))
    (folder.resolve().parent / OWNER).write_text(str(folder), encoding="utf-8")


def _new_place(name: str) -> Path:
    place = STATE / secrets.token_hex(6) / name
    place.mkdir(parents=True, mode=stat.S_IRWXU)
    for parent in (STATE, place.parent):
        # Whatever root's umask is.
        parent.chmod(PASS_THROUGH)
    return place


def _check_owner(folder: Path) -> None:
    if not _is_ours(folder):
        raise EngineError(
            f"{folder} leads to the data of another stack: this one is a copy of it",
            hint=f"rm {folder} gives this stack a database of its own",
        )


def _is_ours(folder: Path) -> bool:
    """Tell whether what a link leads to is this stack's: a copy of a stack has the same link."""
    try:
        owner = Path((folder.resolve().parent / OWNER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    # One that is gone was moved here.
    return owner == folder or not owner.is_symlink()


def inside(data: Path) -> list[Path]:
    """Return the folders of data that there are."""
    return sorted(data.iterdir()) if data.is_dir() else []


def remove(folders: Sequence[Path]) -> None:
    """Delete the folders with what is in them.

    Raises:
        EngineError: One of them cannot be deleted.
    """
    try:
        for folder in folders:
            if folder.is_symlink():
                if folder.exists() and _is_ours(folder):
                    shutil.rmtree(folder.resolve().parent)
                folder.unlink()
            elif folder.exists():
                shutil.rmtree(folder)
    except OSError as error:
        raise EngineError(f"{error.filename} cannot be deleted: {error.strerror}") from None
