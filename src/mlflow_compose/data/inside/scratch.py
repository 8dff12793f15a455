"""A temporary folder for the copy of a source; removes those that killed imports left."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "mlflow-compose-import-"
# Locked while its import runs. Unlike a process number, a lock works across containers.
LOCK = ".mlflow-compose-lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Provide a temporary folder, and remove it afterwards."""
    # Not available on Windows, where this module is only imported.
    import fcntl

    remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, Path(folder, LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(folder).resolve()


def remove_abandoned() -> None:
    """Remove the folders of imports that were killed."""
    import fcntl

    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        # Locked or inaccessible: its import is running, or it belongs to another user.
        with suppress(OSError), path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
