"""A folder for artifacts in transit of one server, on a volume that several servers may share."""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def choose() -> None:
    """Let temporary files of this process and its workers be in a folder of their own.

    What servers that have ended left behind is deleted: uploads that were not completed.
    """
    parent = Path(tempfile.gettempdir())
    # Otherwise, a folder could be deleted before it is locked.
    with locked(parent):
        for entry in parent.iterdir():
            if not entry.is_symlink() and entry.is_dir():
                if (lock := lock_on(entry)) is None:
                    continue
                os.close(lock)
            delete(entry)
        own = tempfile.mkdtemp(dir=parent)
        # Kept until the last process that has inherited it ends.
        lock_on(Path(own))
    os.environ["TMPDIR"] = tempfile.tempdir = own


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process works in a folder."""
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def lock_on(folder: Path) -> int | None:
    """Return a file descriptor that holds a lock on a folder, None if another process holds it."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def delete(entry: Path) -> None:
    """Delete a file or a folder; what cannot be deleted is only reported."""
    try:
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink()
        else:
            shutil.rmtree(entry)
    except OSError as error:
        print(f"{entry} could not be deleted: {error}", file=sys.stderr, flush=True)  # noqa: T201
