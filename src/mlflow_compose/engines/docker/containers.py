"""Inspect the containers and volumes of a stack."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import RESTARTING, RUNNING, ServiceStatus
from mlflow_compose.engines.docker import inspect
from mlflow_compose.engines.docker.inspect import Inspected
from mlflow_compose.stack import VolumeNames

if TYPE_CHECKING:
    from python_on_whales import DockerClient

SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
STACK_LABEL = "mlflow-compose.stack"
NUMBER_LABEL = "com.docker.compose.container-number"
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


def snapshots(containers: Iterable[Inspected], services: Collection[str]) -> list[Snapshot]:
    """Return the containers of a project's services, without one-off containers."""
    chosen = [
        container
        for container in containers
        if label(container, ONE_OFF_LABEL) != "True" and label(container, SERVICE_LABEL) in services
    ]
    # Also after `docker compose up --scale`.
    count = Counter(label(container, SERVICE_LABEL) for container in chosen)
    return [
        _snapshot(container, several=count[label(container, SERVICE_LABEL)] > 1)
        for container in chosen
    ]


def held_ports(
    containers: Iterable[Inspected], services: Collection[str], identity: str
) -> frozenset[int]:
    """Return the ports of this machine that a stack holds, also by orphans, which a start removes.

    Args:
        containers: Containers of its project.
        services: Names of its services.
        identity: Stack id.
    """
    own = (
        container
        for container in containers
        if label(container, ONE_OFF_LABEL) != "True"
        and (
            label(container, SERVICE_LABEL) in services or label(container, STACK_LABEL) == identity
        )
    )
    return frozenset(port for container in own for port in _snapshot(container).held)


def origins_of(containers: Iterable[Inspected]) -> set[Origin]:
    """Return the origins of a project's containers.

    All of its containers count, also those of services that an override file adds.
    """
    return {
        Origin(
            name_of(container), label(container, STACK_LABEL), Path(label(container, FOLDER_LABEL))
        )
        for container in containers
    }


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
        name: identity
        for volume, identity in inspect.volumes(client, prefix, STACK_LABEL).items()
        # The filter matches anywhere in the name.
        if volume.startswith(prefix) and (name := volume.removeprefix(prefix)) in names
    }


def users_of(client: "DockerClient", volume: str) -> dict[str, str]:
    """Return the containers that use a volume, with their stack ids."""
    found = inspect.containers(client, ("volume", volume))
    return {name_of(container): label(container, STACK_LABEL) for container in found}


def docker_name(project: str, volume: str) -> str:
    """Return the name of a project's volume in Docker."""
    return f"{project}_{volume}"


def publishes(containers: Iterable[Inspected], port: int) -> bool:
    """Tell whether a container of a project publishes a port now, also one of an override file."""
    return any(port == held for container in containers for _, held in _bindings(container))


def owner_of(client: "DockerClient", port: int) -> str | None:
    """Describe the container that holds a port of this machine, None if none does."""
    for container in inspect.containers(client, ("status", "running")):
        if port in {held for _, held in _bindings(container)}:
            project = label(container, PROJECT_LABEL)
            folder = Path(label(container, FOLDER_LABEL)).parent
            suffix = f" of the stack {project} in {folder}" if project else ""
            return f"the container {name_of(container)}{suffix}"
    return None


def of_project(client: "DockerClient", project: str) -> list[Inspected]:
    """Return all containers of a project, stopped and one-off ones too.

    They are found by label, so the rendered files need not exist.
    """
    return inspect.containers(client, ("label", f"{PROJECT_LABEL}={project}"))


def _snapshot(container: Inspected, *, several: bool = False) -> Snapshot:
    state = container["State"]
    bindings = _bindings(container)
    status = ServiceStatus(
        name=label(container, SERVICE_LABEL),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=state["ExitCode"],
        restarts=container["RestartCount"],
        since=datetime.fromisoformat(state["StartedAt"]) if state["Status"] == RUNNING else None,
        ports=tuple(f"{address}:{port}" for address, port in bindings),
        image_id=container["Image"],
        number=int(label(container, NUMBER_LABEL) or 1),
        has_several=several,
    )
    created = datetime.fromisoformat(container["Created"])
    held = frozenset({port for _, port in bindings} | _reserved(container))
    return Snapshot(status, created, held)


def _reserved(container: Inspected) -> set[int]:
    """Return the ports that a container will hold again after a restart."""
    if container["State"]["Status"] not in {RUNNING, RESTARTING}:
        return set()
    return {port for _, port in _ports(container["HostConfig"]["PortBindings"])}


def name_of(container: Inspected) -> str:
    """Return a container's name."""
    return str(container["Name"]).removeprefix("/")


def label(container: Inspected, name: str) -> str:
    """Return a label of a container, empty without it."""
    return str((container["Config"]["Labels"] or {}).get(name, ""))


def _bindings(container: Inspected) -> list[tuple[str, int]]:
    return _ports(container["NetworkSettings"]["Ports"])


def _ports(
    published: Mapping[str, Sequence[Mapping[str, str]] | None] | None,
) -> list[tuple[str, int]]:
    """Return the addresses and ports of this machine, by the port in the container."""
    return [
        (binding["HostIp"], int(binding["HostPort"]))
        for bindings in (published or {}).values()
        for binding in bindings or ()
        # Empty if Docker is to choose one.
        if binding["HostPort"]
    ]
