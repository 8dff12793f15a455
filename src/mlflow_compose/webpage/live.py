"""Looks at the board in one thread, and tells every browser what changed."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Condition, Thread

from mlflow_compose.classroom.board import Board
from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.webpage.snapshot import Job, Snapshot

UNREADABLE = "the seats cannot be read: {}"
BUG = "the terminal of class serve shows an error of the program"
# Looking takes at most this part of the time, however long a look takes.
BUSY = 0.2
logger = logging.getLogger(__name__)


class Live:
    """The newest snapshot of a class, and the browsers that show it.

    The seats are only looked at while there are such browsers.
    """

    def __init__(self, board: Board, every: float) -> None:
        """Start the thread.

        Args:
            board: The class.
            every: Seconds between two looks.
        """
        self._board, self._every = board, every
        self._changed = Condition()
        self._snapshot = Snapshot()
        self._watchers: list[Callable[[], None]] = []
        self._is_due = False
        self.version = 0
        self.is_closed = False
        self._thread = Thread(target=self._run, name="class-board", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Return the newest snapshot as JSON text."""
        return self._snapshot.text(datetime.now(UTC))

    def has_seat(self, name: str) -> bool:
        """Tell whether the class has a seat of this name, as far as is known."""
        return any(seat.seat == name for seat in self._snapshot.seats or ())

    @property
    def watchers(self) -> int:
        """The number of browsers that show the class."""
        return len(self._watchers)

    @contextmanager
    def watching(self, notify: Callable[[], None]) -> Iterator[None]:
        """Call `notify` after each change while the block runs, from another thread."""
        with self._changed:
            self._watchers.append(notify)
        self.look()
        try:
            yield
        finally:
            with self._changed:
                self._watchers.remove(notify)

    def look(self) -> None:
        """Look at the board now instead of at the next turn."""
        with self._changed:
            self._is_due = True
            self._changed.notify_all()

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Show jobs; a change of theirs may have changed a seat."""
        self._publish(lambda before: replace(before, jobs=tuple(jobs)))
        self.look()

    def close(self) -> None:
        """Tell all browsers that this is the end, and wait for the thread."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
        self._publish(lambda before: before)
        self._thread.join()

    def _run(self) -> None:
        while not self.is_closed:
            with self._changed:
                self._changed.wait_for(lambda: self.is_closed or self._watchers)
                self._is_due = False
            began = time.monotonic()
            if not self.is_closed:
                self._publish(self._seen())
            pause = max(self._every, (time.monotonic() - began) * (1 / BUSY - 1))
            with self._changed:
                self._changed.wait_for(lambda: self.is_closed or self._is_due, pause)

    def _seen(self) -> Callable[[Snapshot], Snapshot]:
        """Look at the board, and return what that changes."""
        try:
            seats = tuple(self._board.states())
        except MlflowComposeError as error:
            trouble = UNREADABLE.format(error.message)
        except Exception:
            # A bug must not freeze the page without a word.
            logger.exception("the seats could not be read")
            trouble = UNREADABLE.format(BUG)
        else:
            now = datetime.now(UTC)
            trouble = self._board.trouble
            return lambda before: replace(before, seats=seats, looked_at=now, trouble=trouble)
        return lambda before: replace(before, trouble=trouble)

    def _publish(self, change: Callable[[Snapshot], Snapshot]) -> None:
        with self._changed:
            self._snapshot = change(self._snapshot)
            self.version += 1
            for notify in self._watchers:
                notify()
