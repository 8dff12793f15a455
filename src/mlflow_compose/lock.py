"""One command at a time: those that change a stack hold its lock, read-only commands do not.

The operating system releases the lock when its holder ends, however that happens. A note next to
the lock names the holder. Other commands only read the note, since testing the lock would mean
holding it for a moment.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from os import getpid

from mlflow_compose.errors import BusyError, FilesError
from mlflow_compose.machine import has_run_since, what_shows_why
from mlflow_compose.paths import StackPaths, create_state_folder, write_state

LOCK, NOTE = "lock", "lock.json"


@dataclass(frozen=True)
class Holder:
    """A command that is working on a stack.

    Attributes:
        command: Command as typed, such as migrate-store.
        since: Start time.
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
        command: Name of this command, for the messages of others.

    Raises:
        BusyError: Another command is working on the stack.
        FilesError: The lock cannot be acquired.
    """
    # It imports asyncio, which takes longer than `--help` may.
    from filelock import FileLock, Timeout

    folder = create_state_folder(paths)
    # No fallback to a lock file without a system lock: it would outlive a killed process.
    lock = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise _busy(holder(paths)) from None
    except (OSError, NotImplementedError) as error:
        why, hint = "the file system does not support locks", f"df -h {folder} shows which one"
        if isinstance(error, OSError):
            why, hint = str(error.strerror), what_shows_why(error, folder)
        raise FilesError(
            f"{folder / LOCK}, the lock of the stack, cannot be acquired: {why}",
            hint=hint,
        ) from None
    try:
        # Only other commands read it, so a full disk is no reason to fail.
        with suppress(FilesError):
            write_state(paths, NOTE, _note(command))
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
        # The note is missing or invalid.
        return None
    return known if alive and since.tzinfo else None


def _note(command: str) -> str:
    return json.dumps({"command": command, "pid": getpid(), "since": datetime.now(UTC).isoformat()})


def _busy(known: Holder | None) -> BusyError:
    return BusyError(
        known.text if known else "another command is working on this stack",
        hint="try again when it is done; mlflow-compose status shows the stack",
    )
