"""What the seats of a class have stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow_compose.engines import Dialogue, Engine, RemoteError
from mlflow_compose.queries.inside import seats
from mlflow_compose.stack.components import seats_init


@dataclass(frozen=True)
class Stored:
    """What a seat has stored; None is unknown.

    Attributes:
        runs: Number of runs that are not deleted.
        last: Time of the last activity, in milliseconds since 1970; None also if there was none.
        storage: Bytes of its database and its bucket.
    """

    runs: int | None = None
    last: int | None = None
    storage: int | None = None

    @property
    def last_activity(self) -> datetime | None:
        """The time of the last activity (UTC)."""
        return None if self.last is None else datetime.fromtimestamp(self.last / 1000, UTC)


class SeatCounts:
    """Counts what the seats have stored, as often as it is asked.

    Attributes:
        problem: Why that failed the last time, empty if it did not.
    """

    def __init__(self, engine: Engine, *, place: str, waits: bool) -> None:
        """Prepare to count.

        Args:
            engine: Engine of the stack.
            place: What a seat has on a server for all, by the column of experiments: workspace
                or name; empty if each has a server.
            waits: Whether to wait for the sizes of buckets, which otherwise come a bit later.
        """
        self._engine, self._place, self._waits = engine, place, waits
        self.problem = ""
        self._dialogue: Dialogue[dict[str, Stored]] | None = None

    def read(self) -> Mapping[str, Stored]:
        """Return what is stored, by seat or place; nothing if it cannot be read now."""
        if self._dialogue is None:
            service = "mlflow" if self._place else seats_init.NAME
            backend = self._engine.stack.stores.backend_uri
            request = {"place": self._place, "backend": backend, "waits": self._waits}
            self._dialogue = Dialogue(self._engine, service, (seats,), request, dict[str, Stored])
        self.problem = ""
        try:
            return self._dialogue.ask()
        except RemoteError as error:
            # The next time, it starts anew.
            self.problem = str(error)
            self.close()
            return {}

    def close(self) -> None:
        """End what counts."""
        if self._dialogue:
            self._dialogue.close()
        self._dialogue = None
