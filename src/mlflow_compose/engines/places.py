"""The paths of data folders, and whether they can be used."""

import os
import stat
from pathlib import Path

from mlflow_compose.errors import EngineError
from mlflow_compose.paths import STATE_DIR

# In each data folder: the id of its stack.
NOTE = ".mlflow-compose"
OTHER_FOLDER = "set MINIO_VOLUME_PATH in .env to a separate folder"


def check_place(folder: Path, place: Path) -> None:
    """Make sure that a folder of the user is outside of the stack's.

    Args:
        folder: Folder of the stack's rendered files.
        place: The user's.

    Raises:
        EngineError: One of them is in the other: the stack's files would be served or deleted.
    """
    # Not Path.resolve, which raises for a circle of links before Python 3.13.
    root, real = (Path(os.path.realpath(path)) for path in (folder.parent, place))
    own = (root / name for name in ("compose", "local", STATE_DIR))
    if root.is_relative_to(real) or any(real.is_relative_to(path) for path in own):
        raise EngineError(
            f"MINIO_VOLUME_PATH must be outside of the stack's folders, got {place}",
            hint=OTHER_FOLDER,
        )
    if _is_folder(place / NOTE):
        raise EngineError(
            f"MINIO_VOLUME_PATH must be a data folder, but {place} is the folder of a stack",
            hint=OTHER_FOLDER,
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:
        return False


def place_of(folder: Path, name: str) -> Path:
    """Return the path of a data folder; the folder that it is relative to may not exist yet."""
    return Path(os.path.normpath(folder / name))


def check_there(path: Path) -> None:
    """Make sure that a path is a folder, if it exists.

    Raises:
        EngineError: It is a link that leads nowhere, or no folder.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and not path.exists():
            raise EngineError(
                f"{path} points to {path.readlink()}, which does not exist",
                hint=f"put the data back there; rm {path} and mlflow-compose up --start-empty "
                "start without it",
            )
        is_folder = path.is_dir()
    except FileNotFoundError:
        return
    except PermissionError:
        # Whoever runs the servers may see more.
        return
    except NotADirectoryError:
        is_folder = False
    except OSError as error:
        raise EngineError(
            f"{path} cannot be used: {error.strerror}", hint=f"ls -ld {path} shows why"
        ) from None
    if not is_folder:
        raise EngineError(f"{path} must be a folder", hint=f"move {path} somewhere else")
