"""The folders that hold a stack's data."""

import secrets
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Service

# Root's own folders are closed to the user that the database runs as: its data is here, and
# where it would be is a link.
STATE = Path("/var/lib/mlflow-compose")
PASS_THROUGH = 0o711


def make(data: Path, folders: Sequence[Path], database: Service) -> None:
    """Make the folders that are missing.

    Args:
        data: Where all of them are.
        folders: Of services.
        database: The service that may run as another user.
    """
    data.mkdir(exist_ok=True, mode=stat.S_IRWXU)
    of_the_database = data.parent / database.volumes[0].target
    for folder in folders:
        if folder == of_the_database and database.environment["RUN_AS"]:
            _make_elsewhere(folder)
        else:
            folder.mkdir(exist_ok=True, mode=stat.S_IRWXU)


def _make_elsewhere(folder: Path) -> None:
    if folder.exists():
        return
    place = STATE / secrets.token_hex(6) / folder.name
    place.mkdir(parents=True, mode=stat.S_IRWXU)
    for parent in (STATE, place.parent):
        # Whatever root's umask is.
        parent.chmod(PASS_THROUGH)
    folder.unlink(missing_ok=True)
    folder.symlink_to(place)


def remove(folders: Sequence[Path]) -> None:
    """Delete the folders with what is in them.

    Raises:
        EngineError: One of them cannot be deleted.
    """
    try:
        for folder in folders:
            if folder.is_symlink():
                shutil.rmtree(folder.resolve().parent, ignore_errors=not folder.exists())
                folder.unlink()
            elif folder.exists():
                shutil.rmtree(folder)
    except OSError as error:
        raise EngineError(f"{error.filename} cannot be deleted: {error.strerror}") from None
