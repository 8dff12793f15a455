"""One command at a time: those that change a stack hold its lock, those that only look do not.

The system drops the lock when its holder ends, however that happens. Beside the lock is a note of
who holds it: only that is read by others, since to try the lock would be to hold it for a moment.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from os import getpid

from mlflow_compose.errors import BusyError, FilesError
from mlflow_compose.machine import has_run_since
from mlflow_compose.paths import StackPaths, make_state_folder, write_state

LOCK, NOTE = "lock", "lock.json"


@dataclass(frozen=True)
class Holder:
    """A command that is working on a stack.

    Attributes:
        command: Command as typed, such as migrate-store.
        since: When it began.
        pid: Process id.
    """

    command: str
    since: datetime
    pid: int

    @property
    def when(self) -> str:
        """Start time and process, for messages."""
        since = self.since.astimezone()
        today = since.date() == datetime.now(UTC).astimezone().date()
        return f"since {since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}} (pid {self.pid})"

    @property
    def text(self) -> str:
        """Command, start time and process, for messages."""
        return f"{self.command} has been working on this stack {self.when}"


@contextmanager
def hold(paths: StackPaths, command: str) -> Iterator[None]:
    """Keep every other command that changes the stack out while the block runs.

    Args:
        paths: Paths of the stack; all env files of its folder share the lock.
        command: Name of the command, for others.

    Raises:
        BusyError: Another command is working on the stack.
        FilesError: The lock cannot be made.
    """
    # asyncio comes with it, which takes longer than `--help` may.
    from filelock import FileLock, Timeout

    folder = make_state_folder(paths)
    # A file instead of a lock of the system would outlive a killed process.
    lock = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise _busy(holder(paths)) from None
    except (OSError, NotImplementedError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file system has no locks"
        raise FilesError(
            f"{folder / LOCK}, the lock of the stack, cannot be acquired: {why}",
            hint=f"ls -ld {folder} {folder}/* shows the files and their owner",
        ) from None
    try:
        # Only others read it: a full disk is no reason to end.
        with suppress(FilesError):
            write_state(paths, NOTE, _described(command))
        yield
    finally:
        with suppress(OSError):
            (folder / NOTE).unlink()
        lock.release()


def holder(paths: StackPaths) -> Holder | None:
    """Return the command that is working on a stack, None if none is known."""
    try:
        found = json.loads((paths.state / NOTE).read_bytes())
        since = datetime.fromisoformat(found["since"])
        known = Holder(str(found["command"]), since, int(found["pid"]))
        alive = has_run_since(known.pid, since.timestamp())
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        # There is none, or it is not as a command writes it.
        return None
    return known if alive and since.tzinfo else None


def _described(command: str) -> str:
    return json.dumps({"command": command, "pid": getpid(), "since": datetime.now(UTC).isoformat()})


def _busy(known: Holder | None) -> BusyError:
    return BusyError(
        known.text if known else "another command is working on this stack",
        hint="try again when it is done; mlflow-compose status shows the stack",
    )
