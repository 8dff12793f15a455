"""The Docker engine: each method runs one Docker command and handles its failure."""

import os
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import IO, TYPE_CHECKING

from mlflow_compose.engines.access import Published
from mlflow_compose.engines.base import Output, ServiceStatus, SharedFolder
from mlflow_compose.engines.base import Start as OnStart
from mlflow_compose.engines.docker import availability, data, images, orphans, ownership
from mlflow_compose.engines.docker.client import call, open_client
from mlflow_compose.engines.docker.containers import (
    Snapshot,
    docker_name,
    held_ports,
    origins_of,
    owner_of,
    publishes,
    snapshots,
    users_of,
)
from mlflow_compose.engines.docker.failures import docker_errors
from mlflow_compose.engines.docker.one_off import attach_once, run_once
from mlflow_compose.engines.docker.outdated import outdated
from mlflow_compose.engines.docker.start import Start
from mlflow_compose.engines.docker.view import Containers, View
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.ownership import check_held, marked
from mlflow_compose.engines.removed import Removed
from mlflow_compose.errors import ServiceError
from mlflow_compose.paths import SECRETS_DIR, StackPaths
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient


class DockerEngine(Published):
    """Runs a stack with `docker compose`."""

    name = "docker"

    def __init__(self, stack: Stack, paths: StackPaths) -> None:
        self.stack = stack
        self._paths = paths
        self._view = View(stack, lambda: self._client)

    @property
    def _client(self) -> "DockerClient":
        # Not cached: the files may have been written since, and creating one is cheap.
        return open_client(self.stack, self._paths)

    def check(self) -> None:
        """Make sure that Docker and Compose v2 are installed and that the engine answers."""
        found = availability.check(call(self.stack.identity), self._view.look)
        # No other stack may have this name: its data would be used or deleted.
        ownership.check_containers(self.stack, self._paths.compose, origins_of(found.containers))
        ownership.check_volumes(self.stack, found.volumes)
        self._view.keep(found)

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        """Make sure that existing data belongs to the servers that will run."""
        check_held(self._paths.compose, {*held} & {*self.stack.folders})
        volumes = set() if start_empty else self._volumes()
        data.check(self.stack, self._paths.compose, volumes)

    def data_folders(self) -> tuple[str, ...]:
        """Return the data folders that carry the stack's id, as its rendered files spell them."""
        return marked(self._paths.compose, self.stack.folders, self.stack.identity)

    def prepare(self, progress: Progress) -> None:
        """Pull and build missing images."""
        if images.complete(self._client, self.stack):
            return
        if missing := images.missing(self._client, self.stack):
            progress.command(self.command("pull", *missing))
            images.pull(self._client, self.stack, missing, progress)
        for service in self.stack.built:
            if not self._client.image.exists(service.image):
                progress.command(self.command("build", service.name))
                images.build(self._client, self.stack, service, progress)

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        """Start all services and wait until each is healthy or done."""
        containers = self._without_outdated(self._view.containers_now())
        self._remove_orphans(progress, containers)
        data.claim_folders(self.stack, self._paths.compose)
        before = self._statuses(containers)
        start = Start(self.stack, self._client, self.command, self.status, progress, wait_timeout)
        start.base(before)
        return start.independent(without)

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        """Stop and remove all services; with `volumes`, their data too."""
        if volumes:
            self._check_unused(self._volumes(), but=self.stack.identity)
        others = self._remove_orphans(progress, self._view.containers_now(), stopping=True)
        # Without files, all that is left is not the stack's, but Compose would remove it.
        if self._paths.compose_files or not others:
            self._remove_services(progress, volumes=volumes)
        return self.remove_volumes(self._volumes()).kept if volumes else ""

    def _remove_services(self, progress: Progress, *, volumes: bool) -> None:
        progress.command(self.command("down", *(["--volumes"] if volumes else [])))
        with progress.step("Stopping"), docker_errors(self.stack, "docker compose down"):
            if volumes:
                # Anonymous volumes only: `down --volumes` would also delete those that an override
                # file names.
                self._client.compose.rm(stop=True, volumes=True)
            self._client.compose.down(quiet=True)

    def _remove_orphans(
        self, progress: Progress, containers: Containers, *, stopping: bool = False
    ) -> Sequence[orphans.Member]:
        """Remove containers of services that the stack no longer has; return those of others."""
        has_files = bool(self._paths.compose_files)
        with docker_errors(self.stack, "docker compose config"):
            found = orphans.find(
                self._client, self.stack, containers, has_files=has_files, stopping=stopping
            )
        own = [each for each in found if each.identity == self.stack.identity]
        others = [each for each in found if each not in own]
        if own:
            names = ", ".join(each.name for each in own)
            with progress.step(f"Removing {names}"), docker_errors(self.stack, "docker rm"):
                orphans.remove(self._client, own)
        if others:
            progress.note(orphans.left_alone(others))
        return others

    def stop_service(self, name: str) -> None:
        """Stop a running service, which the next start starts again."""
        with docker_errors(self.stack, "docker compose stop"):
            self._client.compose.stop([name])

    def start_service(self, name: str) -> None:
        """Start a service that was stopped."""
        with docker_errors(self.stack, "docker compose start"):
            self._client.compose.start([name])

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return the status of the services in start order."""
        return self._statuses(self._view.containers())

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield log lines of the named services, of all if none is named."""
        with docker_errors(self.stack, "docker compose logs"):
            output = self._client.compose.logs(
                list(services), follow=follow, tail=None if tail is None else str(tail), stream=True
            )
            for _, line in output:
                yield self.stack.mask(line.decode(errors="replace").rstrip("\n"))

    def run(  # noqa: PLR0913 - independent options
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        folder: SharedFolder | None = None,
        on_output: Output | None = None,
        on_start: OnStart | None = None,
    ) -> Outcome:
        """Run a command in a separate container with a service's configuration."""
        return run_once(
            self._client,
            service,
            command,
            stdin=stdin,
            folder=folder,
            on_output=on_output,
            on_start=on_start,
        )

    def attach(self, service: str, command: Sequence[str], *, terminal: bool) -> Outcome:
        """Run a command like `run`, connected to the standard streams of this process."""
        return attach_once(self._client, service, command, terminal=terminal)

    def unused_volumes(self) -> tuple[str, ...]:
        """Return the volumes of the stack that its services no longer use."""
        return tuple(sorted(self._volumes() - {*self.stack.volumes}))

    def remove_volumes(self, names: Collection[str]) -> Removed:
        """Delete volumes of the stack with their data."""
        self._check_unused(found := sorted(self._volumes() & {*names}))
        with docker_errors(self.stack, "docker volume rm"):
            self._client.volume.remove([docker_name(self.stack.name, name) for name in found])
        return Removed(tuple(found))

    def removal_command(self, volume: str) -> list[str]:
        """Return the command with which a user can delete a volume and everything in it."""
        return ["docker", "volume", "rm", docker_name(self.stack.name, volume)]

    def _check_unused(self, volumes: Collection[str], *, but: str = "") -> None:
        """Make sure that no container uses volumes, except for containers of the stack `but`."""
        with docker_errors(self.stack, "docker ps"):
            for name in map(partial(docker_name, self.stack.name), sorted(volumes)):
                users = users_of(self._client, name).items()
                ownership.check_unused(name, [user for user, id_ in users if id_ != but or not but])

    def _volumes(self) -> set[str]:
        """Return the volumes that carry this stack's id."""
        found = self._view.volumes().items()
        return {name for name, identity in found if identity == self.stack.identity}

    def held_ports(self) -> frozenset[int]:
        """Return the ports of this machine that the stack itself uses, or is about to use."""
        services = {service.name for service in self.stack.services}
        return held_ports(self._view.containers(), services, self.stack.identity)

    def listens_on(self, port: int) -> bool:
        """Tell whether the stack itself listens on a port of this machine right now."""
        return publishes(self._view.containers_now(), port)

    def owner_of(self, port: int) -> str | None:
        """Describe the container that holds a port of this machine, None if none does."""
        return owner_of(self._client, port)

    def command(self, *arguments: str) -> list[str]:
        """Return the docker command as a user would type it in the current folder."""
        folder = os.path.relpath(self._paths.compose)
        return ["docker", "compose", "--project-directory", folder, *arguments]

    def _snapshots(self, containers: Containers) -> list[Snapshot]:
        return snapshots(containers, {service.name for service in self.stack.services})

    def _statuses(self, containers: Containers) -> tuple[ServiceStatus, ...]:
        order = [service.name for service in self.stack.services]
        found = (each.status for each in self._snapshots(containers))
        return tuple(sorted(found, key=lambda one: (order.index(one.name), one.number)))

    def _without_outdated(self, containers: Containers) -> Containers:
        """Remove containers that Compose would reuse in vain; return those that are left."""
        secrets = self._paths.compose / SECRETS_DIR
        found = outdated(self.stack, secrets, self._snapshots(containers))
        if not found:
            return containers
        with docker_errors(self.stack, "docker compose rm"):
            self._client.compose.rm(found, stop=True)
        return self._view.containers_now()
