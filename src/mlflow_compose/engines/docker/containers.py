"""Read what Docker says of a container."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import ServiceStatus

if TYPE_CHECKING:
    from python_on_whales import Container, DockerClient

SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


def status_of(container: "Container") -> ServiceStatus:
    """Return how the service of a container is."""
    state = container.state
    return ServiceStatus(
        name=service_of(container),
        state=state.status or "",
        health=(state.health.status or "") if state.health else "",
        exit_code=state.exit_code or 0,
        restarts=container.restart_count or 0,
        ports=tuple(f"{address}:{port}" for address, port in bindings(container)),
    )


def service_of(container: "Container") -> str:
    """Return the service that a container belongs to; empty for a one-off run of it."""
    return "" if label(container, ONE_OFF_LABEL) == "True" else label(container, SERVICE_LABEL)


def label(container: "Container", name: str) -> str:
    """Return a container's label, empty where it has none."""
    return (container.config.labels or {}).get(name, "")


def bindings(container: "Container") -> list[tuple[str, int]]:
    """Return the addresses and ports of this machine that a container holds."""
    ports = container.network_settings.ports or {}
    return [
        (binding["HostIp"], int(binding["HostPort"]))
        for published in ports.values()
        for binding in published or ()
    ]


def created(container: "Container") -> datetime:
    """Return when a container was made."""
    return container.created.astimezone(UTC)


def owner_of(client: "DockerClient", port: int) -> str | None:
    """Name the container that holds a port of this machine."""
    for container in client.container.list():
        if port in {held for _, held in bindings(container)}:
            project = label(container, PROJECT_LABEL)
            return f"the container {container.name}" + (
                f" of the stack {project}" if project else ""
            )
    return None
