"""The containers and volumes of a stack's project, read as rarely as possible."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlflow_compose.engines.docker.containers import of_project, volumes_of
from mlflow_compose.engines.docker.failures import docker_errors
from mlflow_compose.engines.docker.inspect import Inspected
from mlflow_compose.stack import Stack, known_volumes

if TYPE_CHECKING:
    from python_on_whales import DockerClient

Containers: TypeAlias = Sequence[Inspected]
# Stack ids by volume name.
Volumes: TypeAlias = Mapping[str, str]

# Seconds after which Docker is asked again: some commands wait between two questions.
VALID_FOR = 2.0


@dataclass(frozen=True)
class Look:
    """A project at one moment.

    Attributes:
        began: Time on the monotonic clock before anything was read.
        containers: Its containers.
        volumes: Stack ids of its volumes.
    """

    began: float
    containers: Containers
    volumes: Volumes


class View:
    """Reads a project; a look that was kept answers one more question about each, at once."""

    def __init__(self, stack: Stack, client: Callable[[], "DockerClient"]) -> None:
        self._stack, self._client = stack, client
        self._kept_until = 0.0
        self._containers: Containers | None = None
        self._volumes: Volumes | None = None

    def look(self) -> Look:
        """Read containers and volumes."""
        began, client = time.monotonic(), self._client()
        volumes = volumes_of(client, self._stack.name, known_volumes())
        return Look(began, of_project(client, self._stack.name), volumes)

    def keep(self, look: Look) -> None:
        """Keep a look for the questions that follow at once."""
        self._containers, self._volumes = look.containers, look.volumes
        self._kept_until = look.began + VALID_FOR

    def containers(self) -> Containers:
        """Return the containers as they are now, or as they were in the look that was kept."""
        found, self._containers = self._containers, None
        return found if found is not None and self._is_recent else self.containers_now()

    def containers_now(self) -> Containers:
        """Return the containers as they are now."""
        with docker_errors(self._stack, "docker ps"):
            return of_project(self._client(), self._stack.name)

    def volumes(self) -> Volumes:
        """Return the volumes as they are now, or as they were in the look that was kept."""
        found, self._volumes = self._volumes, None
        if found is not None and self._is_recent:
            return found
        with docker_errors(self._stack, "docker volume ls"):
            return volumes_of(self._client(), self._stack.name, known_volumes())

    @property
    def _is_recent(self) -> bool:
        return time.monotonic() < self._kept_until
