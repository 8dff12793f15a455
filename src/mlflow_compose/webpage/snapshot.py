"""What is pushed to browsers, as JSON text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow_compose.classroom.board import SeatState

# States of a job.
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Job:
    """Something that a button asked for.

    Attributes:
        number: Its number since the page was started.
        seat: Name of the seat.
        action: restart or reset.
        state: WAITING, RUNNING, DONE or FAILED.
        at: When it got into that state (UTC).
        text: What went wrong, as a sentence, if it failed.
    """

    number: int
    seat: str
    action: str
    state: str
    at: datetime
    text: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self.state in {WAITING, RUNNING}


@dataclass(frozen=True)
class Snapshot:
    """The class at one time.

    Attributes:
        seats: States of the seats; None before the first look.
        looked_at: When they were read (UTC), None before the first look.
        trouble: What was wrong at the last look, as a sentence; empty if nothing was.
        jobs: The latest jobs, oldest first.
    """

    seats: Sequence[SeatState] | None = None
    looked_at: datetime | None = None
    trouble: str = ""
    jobs: Sequence[Job] = ()

    def text(self, now: datetime) -> str:
        """Return it as JSON, which has no line breaks.

        Args:
            now: The current time (UTC), since clocks of phones may be wrong.
        """
        content = {
            "now": _milliseconds(now),
            "seats": None if self.seats is None else [_seat(seat) for seat in self.seats],
            "looked_at": _milliseconds(self.looked_at),
            "trouble": self.trouble,
            "jobs": [_job(job) for job in self.jobs],
        }
        return json.dumps(content, separators=(",", ":"))


def _seat(seat: SeatState) -> Mapping[str, object]:
    return {
        "seat": seat.seat,
        "names": seat.names,
        "url": seat.url,
        "health": seat.health,
        "runs": seat.runs,
        "storage": seat.storage,
        "last_activity": _milliseconds(seat.last_activity),
    }


def _job(job: Job) -> Mapping[str, object]:
    return {
        "number": job.number,
        "seat": job.seat,
        "action": job.action,
        "state": job.state,
        "at": _milliseconds(job.at),
        "text": job.text,
    }


def _milliseconds(moment: datetime | None) -> int | None:
    """Return a time as JavaScript counts it."""
    return None if moment is None else int(moment.astimezone(UTC).timestamp() * 1000)
