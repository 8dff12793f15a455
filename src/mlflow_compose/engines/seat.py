"""The engine of one seat of a class: the class's engine, with the seat's server called mlflow."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import IO

from mlflow_compose.engines.access import Access
from mlflow_compose.engines.base import Engine, Output, ServiceStatus, SharedFolder, Start
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.removed import Removed
from mlflow_compose.errors import EngineError, ServiceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

TRACKING = "mlflow"


class SeatEngine:
    """Runs commands for the stack of a seat, which the class's engine starts and stops."""

    def __init__(self, engine: Engine, service: str, stack: Stack) -> None:
        """Set what it works with.

        Args:
            engine: Engine of the whole class.
            service: The seat's service.
            stack: The stack of the seat.
        """
        self.name = engine.name
        self.stack = stack
        self.engine, self.service = engine, service

    def check(self) -> None:
        """Make sure that the engine can be used."""
        self.engine.check()

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        """Make sure that existing data belongs to the servers that will run."""
        self.engine.check_data(start_empty=start_empty, held=held)

    def data_folders(self) -> tuple[str, ...]:
        """Return no folders: those of the servers that all seats share are the class's."""
        return ()

    def prepare(self, progress: Progress) -> None:
        """Prepare what services run from."""
        self.engine.prepare(progress)

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        """Start the class; what runs stays as it is."""
        return self.engine.start(progress, wait_timeout=wait_timeout, without=without)

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        """Stop the seat's server only.

        Raises:
            EngineError: Its data would be deleted, which only the class can do.
        """
        del progress
        if volumes:
            raise EngineError(f"{self.service} cannot be deleted on its own")
        self.stop_service(TRACKING)
        return ""

    def stop_service(self, name: str) -> None:
        """Stop a running service."""
        self.engine.stop_service(self._real(name))

    def start_service(self, name: str) -> None:
        """Start a service that was stopped."""
        self.engine.start_service(self._real(name))

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return the status of the seat's services."""
        names = {self._real(service.name): service.name for service in self.stack.services}
        found = (each for each in self.engine.status() if each.name in names)
        return tuple(replace(each, name=names[each.name]) for each in found)

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield log lines of the seat's server, or of the named services."""
        names = [self._real(name) for name in services or (TRACKING,)]
        return self.engine.logs(names, follow=follow, tail=tail)

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
        """Run a command with a service's network, user, environment and secrets."""
        return self.engine.run(
            self._real(service),
            command,
            stdin=stdin,
            folder=folder,
            on_output=on_output,
            on_start=on_start,
        )

    def attach(self, service: str, command: Sequence[str], *, terminal: bool) -> Outcome:
        """Run a command like `run`, connected to the standard streams of this process."""
        return self.engine.attach(self._real(service), command, terminal=terminal)

    def unused_volumes(self) -> tuple[str, ...]:
        """Return no volumes: they are the class's."""
        return ()

    def remove_volumes(self, names: Collection[str]) -> Removed:
        """Delete nothing: the volumes are the class's."""
        del names
        return Removed(())

    def removal_command(self, volume: str) -> list[str]:
        """Return the command with which a user can delete a volume and everything in it."""
        return self.engine.removal_command(volume)

    def reachable(self, names: Collection[str] = ()) -> AbstractContextManager[None]:
        """Make the ports of the class reachable on this machine while the block runs."""
        return self.engine.reachable(names)

    def access(self) -> Access:
        """Return how users of this machine reach the seat."""
        return Access(self.stack.urls)

    def held_ports(self) -> frozenset[int]:
        """Return the ports of this machine that the class uses, or is about to use."""
        return self.engine.held_ports()

    def listens_on(self, port: int) -> bool:
        """Tell whether the class itself listens on a port of this machine right now."""
        return self.engine.listens_on(port)

    def owner_of(self, port: int) -> str | None:
        """Describe the part of the engine that holds a port of this machine, None if none does."""
        return self.engine.owner_of(port)

    def _real(self, name: str) -> str:
        return self.service if name == TRACKING else name
