"""What a teacher sees of a class and can do to it, whatever runs the seats."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

HEALTHY = "healthy"
# States that end by themselves within a minute.
CHANGING = frozenset({"starting", "created"})


@dataclass(frozen=True)
class SeatState:
    """The state of one seat.

    Attributes:
        seat: Name of the seat.
        names: The people who work there, or the seat's name if they are not known.
        url: URL of its tracking server.
        health: Health or state in Docker's words: healthy, starting, unhealthy, restarting,
            exited, …
        runs: Number of runs that are not deleted, None if unknown.
        storage: Bytes of its artifacts and its database, None if unknown.
        last_activity: When a run was last started or ended (UTC), None without any.
    """

    seat: str
    names: str
    url: str
    health: str
    runs: int | None = None
    storage: int | None = None
    last_activity: datetime | None = None


class Board(Protocol):
    """The seats of a class.

    One thread asks for their states, while another one may restart or reset a seat.

    Attributes:
        trouble: What was wrong with what all seats share at the last look, as a sentence; empty if
            nothing was.
    """

    trouble: str

    def states(self) -> Sequence[SeatState]:
        """Return the state of every seat, in the order of the class.

        Raises:
            MlflowComposeError: They cannot be read.
        """

    def restart(self, seat: str) -> None:
        """Restart the server of a seat, and wait until it is healthy.

        Raises:
            MlflowComposeError: It did not become healthy.
        """

    def reset(self, seat: str) -> None:
        """Delete everything that a seat has stored, and wait until it is healthy again.

        Raises:
            MlflowComposeError: Something could not be deleted, or the seat is not healthy.
        """
