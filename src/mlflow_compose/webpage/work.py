"""Runs what buttons ask for: one thing at a time, in the order of the requests."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Condition, Thread

from mlflow_compose.classroom.board import Board
from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.webpage.snapshot import DONE, FAILED, RUNNING, WAITING, Job

# Finished jobs that the page shows.
KEPT = 8
BUG = "an error of the program, which the terminal of class serve shows"
RESTART, RESET = "restart", "reset"
logger = logging.getLogger(__name__)


class Work:
    """A thread that restarts and resets seats."""

    def __init__(self, board: Board, on_change: Callable[[Sequence[Job]], None]) -> None:
        """Start the thread.

        Args:
            board: The class.
            on_change: Called with the open and the latest finished jobs after each change.
        """
        self._actions: Mapping[str, Callable[[str], None]] = {
            RESTART: board.restart,
            RESET: board.reset,
        }
        self._on_change = on_change
        self._changed = Condition()
        self._jobs: dict[int, Job] = {}
        self._count = 0
        self._is_closed = False
        self._thread = Thread(target=self._run, name="class-work", daemon=True)
        self._thread.start()

    def has_action(self, name: str) -> bool:
        """Tell whether there is an action of this name."""
        return name in self._actions

    def add(self, seat: str, action: str) -> bool:
        """Add a job, unless the seat already has an open one; return whether it was added."""
        with self._changed:
            if any(job.is_open and job.seat == seat for job in self._jobs.values()):
                return False
            self._count += 1
            self._keep(Job(self._count, seat, action, WAITING, datetime.now(UTC)))
            self._changed.notify_all()
        return True

    @property
    def running(self) -> Job | None:
        """The job that is being done, if any."""
        with self._changed:
            return next((job for job in self._jobs.values() if job.state == RUNNING), None)

    def close(self) -> None:
        """Drop the jobs that wait, and wait until the one that is being done has ended."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while job := self._next():
            self._end(job, self._failure(job))

    def _next(self) -> Job | None:
        """Wait for a job, and return it as running; return None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._first_waiting())
            job = None if self._is_closed else self._first_waiting()
            if job is None:
                return None
            job = replace(job, state=RUNNING, at=datetime.now(UTC))
            self._keep(job)
            return job

    def _failure(self, job: Job) -> str:
        """Do a job; return a sentence if that fails, otherwise an empty text."""
        try:
            self._actions[job.action](job.seat)
        except MlflowComposeError as error:
            return f"{error.message}; {error.hint}" if error.hint else error.message
        except Exception:
            # Other seats can still be restarted.
            logger.exception("%s of %s failed", job.action, job.seat)
            return BUG
        return ""

    def _end(self, job: Job, failure: str) -> None:
        with self._changed:
            state = FAILED if failure else DONE
            self._keep(replace(job, state=state, at=datetime.now(UTC), text=failure))

    def _first_waiting(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == WAITING), None)

    def _keep(self, job: Job) -> None:
        """Keep the state of a job, and drop the oldest of the finished ones."""
        self._jobs[job.number] = job
        finished = [number for number, one in self._jobs.items() if not one.is_open]
        for number in finished[:-KEPT]:
            del self._jobs[number]
        self._on_change(tuple(self._jobs.values()))
