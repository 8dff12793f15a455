"""What every engine can do."""

import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from mlflow_compose.engines.access import Reachable
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.removed import Removed
from mlflow_compose.errors import ServiceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

CREATED = "created"
RUNNING = "running"
HEALTHY = "healthy"
STARTING = "starting"
UNHEALTHY = "unhealthy"
EXITED = "exited"
RESTARTING = "restarting"

# Environment variable of commands that `run` runs: the path of their shared folder.
FOLDER_VARIABLE = "SHARED_FOLDER"


# Called with each chunk of a command's output as it arrives.
Output = Callable[[bytes], None]
# Called with the process once it runs.
Start = Callable[["subprocess.Popen[bytes]"], None]


@dataclass(frozen=True)
class ServiceStatus:
    """The status of a service.

    Attributes:
        name: Service name.
        state: Docker's name of the state: created, running, restarting, exited, …
        health: healthy, unhealthy, starting, or empty without a health check.
        exit_code: Exit code of a service that ended, otherwise 0.
        restarts: Number of automatic restarts.
        since: Time at which a service that runs was started, None if it does not run.
        ports: Published ports, as address:port.
        number: Number of the container among those of the service.
        has_several: Whether the service has several containers.
        image_id: Id of the image that it runs from, which is the digest of its configuration; empty
            without containers.
    """

    name: str
    state: str
    health: str = ""
    exit_code: int = 0
    restarts: int = 0
    since: datetime | None = None
    ports: tuple[str, ...] = ()
    image_id: str = ""
    number: int = 1
    has_several: bool = False

    @property
    def container(self) -> str:
        """A name that no other container of the stack has."""
        return f"{self.name}-{self.number}"

    @property
    def label(self) -> str:
        """The service's name for users, with the container's number if there are several."""
        return self.container if self.has_several else self.name

    @property
    def text(self) -> str:
        """The state in one phrase, for messages."""
        if self.state == EXITED:
            return f"ended with exit code {self.exit_code}"
        if self.state == RESTARTING:
            code = f" (exit code {self.exit_code})" if self.exit_code else ""
            return f"keeps restarting{code}"
        return f"{self.state} ({self.health})" if self.health else self.state


@dataclass(frozen=True)
class SharedFolder:
    """A folder of this machine that is shared with a command.

    Attributes:
        path: Absolute path; its mode must give the service's user access.
        writable: Whether the command may write to it.
    """

    path: Path
    writable: bool = False


class Engine(Reachable, Protocol):
    """What runs a stack."""

    name: str
    stack: Stack

    def check(self) -> None:
        """Make sure that the engine can be used.

        Raises:
            EngineError: It cannot; the message gives the reason.
        """

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        """Make sure that existing data belongs to the servers that will run.

        Args:
            start_empty: Whether they may start without data although another server's exists.
            held: Folders that held the stack's data, as returned by `data_folders`.

        Raises:
            EngineError: It is another server's, which these cannot read; or a folder that the
                stack uses no longer holds its data, for example because its disk is not mounted.
        """

    def data_folders(self) -> tuple[str, ...]:
        """Return the data folders that carry the stack's id, as its rendered files spell them."""

    def prepare(self, progress: Progress) -> None:
        """Prepare what services run from: images, package folders.

        Raises:
            EngineError: Something could not be downloaded or built.
        """

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        """Start all services and wait, in seconds, until each is healthy or done.

        Independent services are started last, and each may take that long.

        Returns:
            Failures of independent services, apart from those `without`, which are not started.

        Raises:
            ServiceFailedError: Another service ended, or keeps ending.
            NotReadyError: Another service did not become healthy in time.
        """

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        """Stop and remove all services; with `volumes`, delete their data too.

        Returns:
            A sentence about data that was kept, empty if none was.

        Raises:
            EngineError: Something could not be deleted, or is in use.
        """

    def stop_service(self, name: str) -> None:
        """Stop a running service, which the next start starts again."""

    def start_service(self, name: str) -> None:
        """Start a service that was stopped, without waiting until it is healthy."""

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return the status of the services in start order; empty if nothing runs."""

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield log lines of the named services, of all if none is named."""

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
        """Run a command with a service's network, user, environment and secrets.

        The service itself may be down.

        Args:
            service: Name of a service of the stack.
            command: Program and arguments.
            stdin: Open file of this machine for its standard input.
            folder: Folder of this machine to share with the command, which finds its path in
                the variable FOLDER_VARIABLE.
            on_output: Called with standard output as it arrives, byte for byte; the outcome then
                has no stdout.
            on_start: Called with the process of this machine that runs the command; to give up
                waiting from another thread, pass it to `process.end`.

        Raises:
            EngineError: The folder cannot be mounted.
        """

    def attach(self, service: str, command: Sequence[str], *, terminal: bool) -> Outcome:
        """Run a command like `run`, connected to this process's streams, maybe a terminal."""

    def unused_volumes(self) -> tuple[str, ...]:
        """Return the volumes of the stack that its services no longer use."""

    def remove_volumes(self, names: Collection[str]) -> Removed:
        """Delete volumes of the stack with their data.

        Raises:
            EngineError: One of them could not be deleted, or is in use.
        """

    def removal_command(self, volume: str) -> list[str]:
        """Return the command with which a user can delete a volume and everything in it."""

    def held_ports(self) -> frozenset[int]:
        """Return the ports of this machine that the stack itself uses, or is about to use."""

    def listens_on(self, port: int) -> bool:
        """Tell whether the stack itself listens on a port of this machine right now."""

    def owner_of(self, port: int) -> str | None:
        """Describe the part of the engine that holds a port of this machine, None if none does."""
