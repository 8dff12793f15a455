"""The paths of data folders, and whether they can be used."""

import os
import stat
from pathlib import Path

from mlflow_compose.errors import EngineError
from mlflow_compose.paths import STATE_DIR

# File in each data folder that contains the id of its stack.
NOTE = ".mlflow-compose"
OTHER_FOLDER = "set MINIO_VOLUME_PATH in .env to a separate folder"


def check_outside(folder: Path, path: Path) -> None:
    """Make sure that the user's data folder is outside of the stack's own folders.

    Args:
        folder: Folder of the stack's rendered files.
        path: The user's folder.

    Raises:
        EngineError: One contains the other: the stack's files would be served or deleted.
    """
    # Not Path.resolve, which raises for a symlink loop before Python 3.13.
    root, real = (Path(os.path.realpath(each)) for each in (folder.parent, path))
    own = (root / name for name in ("compose", "local", STATE_DIR))
    if root.is_relative_to(real) or any(real.is_relative_to(each) for each in own):
        raise EngineError(
            f"MINIO_VOLUME_PATH must be outside of the stack's folders, got {path}",
            hint=OTHER_FOLDER,
        )
    if _is_folder(path / NOTE):
        raise EngineError(
            f"MINIO_VOLUME_PATH must be a data folder, but {path} is the folder of a stack",
            hint=OTHER_FOLDER,
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:
        return False


def data_path(folder: Path, name: str) -> Path:
    """Return the path of a data folder; the folder that it is relative to may not exist yet."""
    return Path(os.path.normpath(folder / name))


def check_is_folder(path: Path) -> None:
    """Make sure that a path is a folder, if it exists.

    Raises:
        EngineError: It is a dangling link, or not a folder.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and not path.exists():
            raise EngineError(
                f"{path} points to {path.readlink()}, which does not exist",
                hint=f"put the data back there; to start without it, rm {path} and run "
                "mlflow-compose up --start-empty",
            )
        is_folder = path.is_dir()
    except FileNotFoundError:
        return
    except PermissionError:
        # The servers' user may have access.
        return
    except NotADirectoryError:
        is_folder = False
    except OSError as error:
        raise EngineError(
            f"{path} cannot be used: {error.strerror}", hint=f"ls -ld {path} shows why"
        ) from None
    if not is_folder:
        raise EngineError(f"{path} must be a folder", hint=f"move {path} somewhere else")
