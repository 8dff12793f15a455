"""A folder for artifacts in transit of one server, on a volume that several servers may share."""

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

# How names of such folders begin: nothing else is ever deleted.
PREFIX = "mlflow-server-"
# A file that a process has locked as long as it uses a folder. Directories cannot be locked on NFS.
LOCK = ".mlflow-server-lock"


def choose() -> None:
    """Let temporary files of this process and its workers be in a folder of their own.

    What servers that have ended left behind is deleted: uploads that were not completed.
    """
    parent = Path(tempfile.gettempdir())
    # Otherwise, another server could delete a folder before it is locked.
    turn = os.open(parent / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(turn, fcntl.LOCK_EX)
    for folder in parent.glob(f"{PREFIX}*"):
        if not is_in_use(folder):
            # Nothing that is mounted in it. What cannot be deleted is only reported.
            subprocess.run(("find", str(folder), "-xdev", "-delete"), check=False)
    own = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    # Never closed: the lock is held until the last process that inherits it ends.
    fcntl.flock(os.open(Path(own, LOCK), os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
    os.close(turn)
    os.environ["TMPDIR"] = tempfile.tempdir = own


def is_in_use(folder: Path) -> bool:
    """Tell whether a server that lives has chosen a folder."""
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        # It was killed before.
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
