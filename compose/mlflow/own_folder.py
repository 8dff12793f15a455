"""A folder for artifacts in transit of one server, on a volume that several servers may share."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

# What entrypoint.sh calls the folder that only holds such folders, up to the user's id.
PREFIX = "mlflow-uploads-"
# A file that a process has locked as long as it uses a folder. Directories cannot be locked on NFS.
LOCK = ".lock"
# Nothing can be created.
FULL = {errno.ENOSPC, errno.EDQUOT}


def choose() -> None:
    """Let temporary files of this process and its workers be in a folder of their own.

    What servers that have ended left behind is deleted: uploads that were not completed.

    Raises:
        SystemExit: TMPDIR is not the folder that entrypoint.sh made, or cannot be used.
    """
    # Not tempfile.gettempdir(), which is another folder if this one is full or cannot be written.
    parent = Path(os.environ.get("TMPDIR", "")).absolute()
    if not parent.name.startswith(PREFIX):
        raise SystemExit(
            f"TMPDIR must be a folder {PREFIX}UID, because its content is deleted, got {parent}"
        )
    try:
        own = _make(parent)
    except OSError as error:
        raise SystemExit(f"{parent} cannot be used for uploads: {error}") from None
    os.environ["TMPDIR"] = tempfile.tempdir = own


def _make(parent: Path) -> str:
    before = [*parent.iterdir()]
    try:
        turn = _open(parent)
    except OSError as error:
        if error.errno not in FULL:
            raise
        # As no server has created the file yet, none uses what was there.
        _delete(parent, before)
        turn = _open(parent)
    try:
        # Otherwise, another server could delete a folder before it is locked.
        fcntl.flock(turn, fcntl.LOCK_EX)
    except OSError as error:
        # A file system without locks: nobody can tell what is in use.
        print(f"unfinished uploads stay in {parent}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        os.close(turn)
        return tempfile.mkdtemp(dir=parent)
    _delete(parent, parent.iterdir())
    own = tempfile.mkdtemp(dir=parent)
    # Never closed: the lock is held until the last process that inherits it ends.
    fcntl.flock(_open(Path(own)), fcntl.LOCK_EX)
    os.close(turn)
    return own


def _open(folder: Path) -> int:
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)


def _delete(parent: Path, entries: Iterable[Path]) -> None:
    """Delete entries of a folder that no server uses, but nothing that is mounted there."""
    if parent.is_symlink():
        return
    for entry in [*entries]:
        is_mounted = entry.is_dir() and entry.is_mount()
        if entry.name != LOCK and not is_mounted and not is_in_use(entry):
            # What cannot be deleted is only reported.
            subprocess.run(("find", str(entry), "-xdev", "-delete"), check=False)


def is_in_use(folder: Path) -> bool:
    """Tell whether a server that lives has chosen a folder, or might have."""
    if folder.is_symlink():
        return False
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        # Not such a folder.
        return False
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Another process has locked it, or the file system has no locks.
        return True
    finally:
        os.close(file)
    return False
