"""The board of a class: the state of its seats, and what can be done to one of them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlflow_compose.actions.class_access import MEMBERS, accesses
from mlflow_compose.actions.class_change import check_seats, reset
from mlflow_compose.actions.class_setup import SHARED, Work, check_class
from mlflow_compose.actions.plan import Plan
from mlflow_compose.classroom import Access
from mlflow_compose.classroom.board import HEALTHY, Board, SeatState
from mlflow_compose.engines import Engine, ServiceStatus
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.engines.rolling import roll
from mlflow_compose.engines.verdict import failure
from mlflow_compose.errors import ClassError, PortTakenError, ServiceError
from mlflow_compose.queries import SeatCounts, Stored
from mlflow_compose.result import NoProgress

# Health of a seat whose server does not exist.
ABSENT = "not running"
# Seconds in which a seat that restarts must be healthy.
HEALTHY_WITHIN = 180
# Lines at the end of the log of one that does not become healthy.
SHOWN_LINES = 3


@dataclass(frozen=True)
class Seen:
    """A class as its files describe it.

    Attributes:
        stamp: What the files were like when they were read.
        seats: The seats.
        engine: Engine of the stack.
        counts: Counts what the seats have stored.
        is_shared: Whether one server is for all.
        has_roster: Whether the file exists that says who works at which seat.
    """

    stamp: Sequence[int]
    seats: Sequence[Access]
    engine: Engine
    counts: SeatCounts
    is_shared: bool
    has_roster: bool

    def service(self, seat: str) -> str:
        """Return the service of a seat."""
        return service_of(seat, is_shared=self.is_shared)


class ClassBoard(Board):
    """The seats of a class, on the stack's engine; seats that are added later appear by themselves.

    Only one thread may call `states`.
    """

    def __init__(
        self,
        plan_of: Callable[[], Plan],
        engine_of: Callable[[Plan], Engine],
        alone: Callable[[], AbstractContextManager[None]],
        *,
        waits: bool = False,
    ) -> None:
        """Read the class.

        Args:
            plan_of: Plans the stack from its current env file.
            engine_of: Opens the engine of a plan.
            alone: Keeps other commands out while its block runs.
            waits: Whether to wait for the sizes of buckets, instead of showing them a bit later.

        Raises:
            UsageError: There is no class.
            EngineError: The engine cannot be used.
        """
        self._plan_of, self._engine_of, self._alone = plan_of, engine_of, alone
        self._waits = waits
        self.trouble = ""
        plan = plan_of()
        self._files = (plan.paths.env_file, plan.paths.classroom / MEMBERS)
        self._seen = self._read(plan)
        self._seen.engine.check()

    def states(self) -> Sequence[SeatState]:
        """Return the state of every seat, in the order of the class."""
        if self._seen.stamp != _stamp(self._files):
            seen = self._read(self._plan_of())
            self._seen.counts.close()
            self._seen = seen
        seen = self._seen
        found = {status.name: status for status in seen.engine.status()}
        # Without its servers, asking them would only take long.
        stored = seen.counts.read() if found else {}
        self.trouble = _trouble(seen, found)
        return [
            _state(seat, found.get(seen.service(seat.seat)), stored.get(seat.place, Stored()))
            for seat in seen.seats
        ]

    def restart(self, seat: str) -> None:
        """Restart the server of a seat, and wait until it is healthy.

        Raises:
            ClassError: All seats share one server, or this seat's was not started.
            ServiceError: It did not become healthy.
        """
        with self._alone():
            plan = self._plan_of()
            check_seats(plan, [seat])
            if plan.loaded.settings.class_mode == SHARED:
                raise ClassError(f"{seat} shares its server with all others, who would be cut off")
            engine = self._engine_of(plan)
            service = service_of(seat, is_shared=False)
            if service not in {status.name for status in engine.status()}:
                raise ClassError(
                    f"{seat} was not started",
                    hint="mlflow-compose class up starts it, or says why it cannot",
                )
            engine.stop_service(service)
            engine.start_service(service)
        _wait(engine, service)

    def reset(self, seat: str) -> None:
        """Delete everything that a seat has stored, and wait until it is healthy again.

        Raises:
            MlflowComposeError: Something could not be deleted, or the seat is not healthy.
        """
        with self._alone():
            work = Work(self._plan_of(), self._engine_of, NoProgress(), HEALTHY_WITHIN)
            service = service_of(seat, is_shared=False)
            errors = reset(work, [seat]).errors
        for error in errors:
            # Another seat may have been broken before.
            if not isinstance(error, ServiceError | PortTakenError) or error.service == service:
                raise error

    def close(self) -> None:
        """End what counts."""
        self._seen.counts.close()

    def _read(self, plan: Plan) -> Seen:
        stamp = _stamp(self._files)
        check_class(plan)
        is_shared = plan.loaded.settings.class_mode == SHARED
        engine = self._engine_of(plan)
        place = "workspace" if engine.stack.workspaces else "name"
        counts = SeatCounts(engine, place=place if is_shared else "", waits=self._waits)
        has_roster = (plan.paths.classroom / MEMBERS).exists()
        return Seen(stamp, accesses(plan), engine, counts, is_shared, has_roster)


def service_of(seat: str, *, is_shared: bool) -> str:
    """Return the service that a seat works with."""
    return "mlflow" if is_shared else f"seat-{seat}"


def _trouble(seen: Seen, found: Mapping[str, ServiceStatus]) -> str:
    """Return what is wrong with what all seats share, as a sentence; empty if nothing is."""
    for service in seen.engine.stack.services:
        health = _health(found.get(service.name))
        if not (service.one_shot or service.is_independent or health in {HEALTHY, RUNNING}):
            return f"{service.name}, which all seats need, is {health}"
    if problem := seen.counts.problem:
        return f"what the seats have stored cannot be counted: {problem}"
    if seen.has_roster:
        return ""
    lost = "class add with the same people adds them again" if seen.is_shared else "names are lost"
    return f"class/{MEMBERS} is missing, so {lost}"


def _stamp(files: Sequence[Path]) -> Sequence[int]:
    """Return what changes when files do."""
    return [_changed_at(path) for path in files]


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _state(seat: Access, status: ServiceStatus | None, stored: Stored) -> SeatState:
    return SeatState(
        seat.seat,
        seat.names,
        seat.url,
        _health(status),
        stored.runs,
        stored.storage,
        stored.last_activity,
    )


def _health(status: ServiceStatus | None) -> str:
    """Return the health of a server that runs, and the state of any other."""
    if status is None:
        return ABSENT
    return status.health or status.state if status.state == RUNNING else status.state


def _wait(engine: Engine, service: str) -> None:
    """Wait until a server is healthy.

    Raises:
        ServiceError: It is not.
    """
    alone = replace(engine.stack, services=(engine.stack.service(service),))
    look = partial(_look, engine, service)
    for verdict in roll(alone, look, NoProgress(), HEALTHY_WITHIN).values():
        if verdict.culprit:
            lines = engine.logs([service], follow=False, tail=SHOWN_LINES)
            raise failure(verdict, verdict.culprit, lines, HEALTHY_WITHIN)


def _look(engine: Engine, service: str) -> Sequence[ServiceStatus]:
    return [status for status in engine.status() if status.name == service]
