"""Inspect the containers and volumes of a stack."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import RESTARTING, RUNNING, ServiceStatus
from mlflow_compose.stack import VolumeNames

if TYPE_CHECKING:
    from python_on_whales import Container, DockerClient

SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
STACK_LABEL = "mlflow-compose.stack"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class Origin:
    """The origin of a container.

    Attributes:
        container: Container name.
        identity: Id of its stack, empty if an override file added it or it does not belong to a
            stack.
        folder: Folder of the Compose files that it was created from.
    """

    container: str
    identity: str
    folder: Path


@dataclass(frozen=True)
class Snapshot:
    """A container at one moment.

    Attributes:
        status: Status of its service.
        created: Time at which the container was created.
        held: Ports of this machine that it holds.
    """

    status: ServiceStatus
    created: datetime
    held: frozenset[int]


def snapshots(client: "DockerClient", project: str, services: Collection[str]) -> list[Snapshot]:
    """Return the containers of a project's services, without one-off containers.

    They are found by label, so the rendered files need not exist.
    """
    from python_on_whales.exceptions import NoSuchContainer

    label = f"{PROJECT_LABEL}={project}"
    found = []
    for container in client.container.list(all=True, filters=[("label", label)]):
        # Removed between listing and inspecting.
        with suppress(NoSuchContainer):
            one_off = _label(container, ONE_OFF_LABEL) == "True"
            if not one_off and _label(container, SERVICE_LABEL) in services:
                found.append(_snapshot(container))
    return found


def origins_of(client: "DockerClient", project: str) -> set[Origin]:
    """Return the origins of a project's containers.

    All of its containers count, also those of services that an override file adds.
    """
    from python_on_whales.exceptions import NoSuchContainer

    label = f"{PROJECT_LABEL}={project}"
    found = set()
    for container in client.container.list(all=True, filters=[("label", label)]):
        with suppress(NoSuchContainer):
            folder = Path(_label(container, FOLDER_LABEL))
            found.add(Origin(container.name, _label(container, STACK_LABEL), folder))
    return found


def volumes_of(client: "DockerClient", project: str, names: VolumeNames) -> dict[str, str]:
    """Return the stack ids of the volumes that a project would use, by volume name.

    They are looked up by name, as Compose does, which uses a volume of that name whatever created
    it. The id of a volume without one is empty.

    Args:
        client: Docker client.
        project: Project name.
        names: Volume names, without the project prefix.
    """
    prefix = docker_name(project, "")
    return {
        name: (volume.labels or {}).get(STACK_LABEL, "")
        for volume in client.volume.list(filters=[("name", prefix)])
        # The filter matches anywhere in the name.
        if volume.name.startswith(prefix) and (name := volume.name.removeprefix(prefix)) in names
    }


def users_of(client: "DockerClient", volume: str) -> dict[str, str]:
    """Return the containers that use a volume, with their stack ids."""
    from python_on_whales.exceptions import NoSuchContainer

    found = {}
    for container in client.container.list(all=True, filters=[("volume", volume)]):
        with suppress(NoSuchContainer):
            found[container.name] = _label(container, STACK_LABEL)
    return found


def docker_name(project: str, volume: str) -> str:
    """Return the name of a project's volume in Docker."""
    return f"{project}_{volume}"


def publishes(client: "DockerClient", project: str, port: int) -> bool:
    """Tell whether a container of a project publishes a port now, also one of an override file."""
    from python_on_whales.exceptions import NoSuchContainer

    for container in client.container.list(filters=[("label", f"{PROJECT_LABEL}={project}")]):
        with suppress(NoSuchContainer):
            if port in {held for _, held in _bindings(container)}:
                return True
    return False


def owner_of(client: "DockerClient", port: int) -> str | None:
    """Describe the container that holds a port of this machine, None if none does."""
    from python_on_whales.exceptions import NoSuchContainer

    for container in client.container.list():
        with suppress(NoSuchContainer):
            if port in {held for _, held in _bindings(container)}:
                project = _label(container, PROJECT_LABEL)
                folder = Path(_label(container, FOLDER_LABEL)).parent
                suffix = f" of the stack {project} in {folder}" if project else ""
                return f"the container {container.name}{suffix}"
    return None


def _snapshot(container: "Container") -> Snapshot:
    state = container.state
    bindings = _bindings(container)
    status = ServiceStatus(
        name=_label(container, SERVICE_LABEL),
        state=state.status or "",
        health=(state.health.status or "") if state.health else "",
        exit_code=state.exit_code or 0,
        restarts=container.restart_count or 0,
        ports=tuple(f"{address}:{port}" for address, port in bindings),
    )
    created = container.created.astimezone(UTC)
    held = frozenset({port for _, port in bindings} | _reserved(container))
    return Snapshot(status, created, held)


def _reserved(container: "Container") -> set[int]:
    """Return the ports that a container will hold again after a restart."""
    if container.state.status not in {RUNNING, RESTARTING}:
        return set()
    published = (container.host_config.port_bindings or {}).values()
    found = (binding.host_port for bindings in published for binding in bindings or ())
    return {int(port) for port in found if port}


def _label(container: "Container", name: str) -> str:
    return (container.config.labels or {}).get(name, "")


def _bindings(container: "Container") -> list[tuple[str, int]]:
    ports = container.network_settings.ports or {}
    return [
        (binding["HostIp"], int(binding["HostPort"]))
        for published in ports.values()
        for binding in published or ()
    ]
