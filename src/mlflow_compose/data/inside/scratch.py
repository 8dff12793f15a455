"""A folder for the copy of a source, and the folders that killed imports left."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "mlflow-compose-import-"
# Locked while its import runs. Unlike a process number, that means the same in every container.
LOCK = ".mlflow-compose-lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Provide a folder, and remove it afterwards."""
    # Windows, where this module is only imported, does not have it.
    import fcntl

    remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, Path(folder, LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(folder).resolve()


def remove_abandoned() -> None:
    """Remove the folders of imports that were killed."""
    import fcntl

    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        # Its import is running, or it is another user's.
        with suppress(OSError), path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
