"""An engine and a screen that only record their calls."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import IO, Any

from mlflow_compose.engines.access import Published
from mlflow_compose.engines.base import Output, ServiceStatus, SharedFolder, Start
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.removed import Removed
from mlflow_compose.errors import MlflowComposeError, ServiceError
from mlflow_compose.result import NoProgress, Progress
from mlflow_compose.stack import Stack

SINCE = datetime(2026, 11, 28, 7, 5, 9, tzinfo=UTC)
ALL_WELL = (
    ServiceStatus("postgres", "running", "healthy"),
    ServiceStatus("s3", "running", "healthy", since=SINCE, ports=("127.0.0.1:9000",)),
    ServiceStatus("bucket-init", "exited"),
    ServiceStatus("mlflow", "running", "healthy", since=SINCE, ports=("127.0.0.1:5000",)),
)


def answered(done: object, *items: object) -> Outcome:
    """Return the outcome of modules run inside a service: intermediate items and a result."""
    answers = [*({"item": item} for item in items), {"done": done}]
    lines = ["a library's warning", *map(json.dumps, answers), ""]
    return Outcome(0, "\n".join(lines).encode(), "")


def failed(message: str, **facts: object) -> Outcome:
    """Return the outcome of modules run inside a service that fail."""
    line = json.dumps({"failed": {"message": message, **facts}})
    return Outcome(1, f"{line}\n".encode(), "")


def well(request: Mapping[str, Any]) -> Outcome:
    """Return the outcome of checks that find nothing wrong, or of a count of no data."""
    link = {"cause": "", "detail": "works", "seconds": 0.1}
    return answered(dict.fromkeys(request["only"], link) if "only" in request else {"objects": 0})


@dataclass
class FakeEngine(Published):
    """Runs nothing and returns what the test configures.

    It holds every port of its stack, so that no port of this machine is checked. A test about
    ports sets `held=frozenset()`.
    """

    stack: Stack
    statuses: tuple[ServiceStatus, ...] = ()
    held: frozenset[int] | None = None
    owners: Mapping[int, str] = field(default_factory=dict)
    outcome: Outcome | None = None
    problems: Mapping[str, MlflowComposeError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    name: str = "fake"
    unused: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if what in self.problems:
            raise self.problems[what]

    def check(self) -> None:
        self._called("check")

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        del start_empty, held
        self._called("check_data")

    def data_folders(self) -> tuple[str, ...]:
        return self.folders

    def prepare(self, progress: Progress) -> None:
        del progress
        self._called("prepare")

    def stop_service(self, name: str) -> None:
        self._called(f"stop_service {name}")

    def start_service(self, name: str) -> None:
        self._called(f"start_service {name}")

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        del progress, wait_timeout
        self._called(" ".join(["start", *(f"without {name}" for name in without)]))
        self.statuses = ALL_WELL
        return []

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        del progress
        self._called(f"stop volumes={volumes}")
        self.statuses = ()
        return ""

    def status(self) -> tuple[ServiceStatus, ...]:
        return self.statuses

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        self._called(f"logs {' '.join(services)} follow={follow} tail={tail}")
        yield from ("one", "two")

    def attach(self, service: str, command: Sequence[str], *, terminal: bool) -> Outcome:
        del terminal
        return self.run(service, command)

    def run(  # noqa: PLR0913 - independent options
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        folder: SharedFolder | None = None,
        on_output: Output | None = None,
        on_start: Start | None = None,
    ) -> Outcome:
        del command, folder, on_start
        modules, request = (stdin.readline(), stdin.readline()) if stdin else (b"{}", b"{}")
        assert json.loads(modules) is not None
        if not request:
            return Outcome(0, b"", "")
        request = json.loads(request)
        self.calls.append(f"run {service} {json.dumps(request)}")
        outcome = self.outcome or well(request)
        if on_output is None:
            return outcome
        on_output(outcome.stdout)
        return replace(outcome, stdout=b"")

    def unused_volumes(self) -> tuple[str, ...]:
        return self.unused

    def remove_volumes(self, names: Collection[str]) -> Removed:
        self._called(f"remove_volumes {' '.join(names)}")
        return Removed(tuple(names))

    def removal_command(self, volume: str) -> list[str]:
        return ["fake", "rm", volume]

    def held_ports(self) -> frozenset[int]:
        self._called("held_ports")
        if self.held is None:
            return frozenset(port.published for _, port in self.stack.ports)
        return self.held

    def listens_on(self, port: int) -> bool:
        return port in self.held_ports()

    def owner_of(self, port: int) -> str | None:
        return self.owners.get(port)


@dataclass
class FakeScreen:
    """Records what it would show."""

    shown: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        self.shown.append(text)
        yield

    def detail(self, text: str) -> None:
        self.shown.append(text)

    def note(self, text: str) -> None:
        self.shown.append(f"note: {text}")

    def command(self, argv: Sequence[str]) -> None:
        self.shown.append(f"$ {' '.join(argv)}")


class Notes(NoProgress):
    """Keeps the notes of an action."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)
