"""Read what Docker says of a stack's containers."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import RESTARTING, RUNNING, ServiceStatus

if TYPE_CHECKING:
    from python_on_whales import Container, DockerClient

SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
VOLUME_LABEL = "com.docker.compose.volume"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class Seen:
    """A container as it was at one moment.

    Attributes:
        status: How its service is.
        created: When the container was made.
        held: Ports of this machine that it holds.
    """

    status: ServiceStatus
    created: datetime
    held: frozenset[int]


def look(client: "DockerClient", project: str, services: Collection[str]) -> list[Seen]:
    """Return the containers of a project's services, without one-off runs of them.

    They are found by label, so the rendered files need not be there.
    """
    from python_on_whales.exceptions import NoSuchContainer

    label = f"{PROJECT_LABEL}={project}"
    seen = []
    for container in client.container.list(all=True, filters=[("label", label)]):
        # Removed between listing and looking: then it is not there.
        with suppress(NoSuchContainer):
            one_off = _label(container, ONE_OFF_LABEL) == "True"
            if not one_off and _label(container, SERVICE_LABEL) in services:
                seen.append(_seen(container))
    return seen


def folders_of(client: "DockerClient", project: str) -> set[Path]:
    """Return the folders whose files the containers of a project were made from.

    All of its containers count, also those of services that we do not know.
    """
    from python_on_whales.exceptions import NoSuchContainer

    label = f"{PROJECT_LABEL}={project}"
    found = set()
    for container in client.container.list(all=True, filters=[("label", label)]):
        with suppress(NoSuchContainer):
            found.add(_label(container, FOLDER_LABEL))
    return {Path(folder) for folder in found if folder}


def volumes_of(client: "DockerClient", project: str) -> dict[str, str]:
    """Return the volumes of a project: Docker's names of them, by the project's."""
    found = client.volume.list(filters=[("label", f"{PROJECT_LABEL}={project}")])
    return {volume.labels.get(VOLUME_LABEL, volume.name): volume.name for volume in found}


def owner_of(client: "DockerClient", port: int) -> str | None:
    """Name the container that holds a port of this machine."""
    from python_on_whales.exceptions import NoSuchContainer

    for container in client.container.list():
        with suppress(NoSuchContainer):
            if port in {held for _, held in _bindings(container)}:
                project = _label(container, PROJECT_LABEL)
                suffix = f" of the stack {project}" if project else ""
                return f"the container {container.name}{suffix}"
    return None


def _seen(container: "Container") -> Seen:
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
    held = frozenset({port for _, port in bindings} | _wanted(container))
    return Seen(status, created, held)


def _wanted(container: "Container") -> set[int]:
    """Return the ports that a container holds but while it is being started again."""
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
