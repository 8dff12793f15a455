"""What runs in a stack, and who talks to whom with which key."""

import re
from collections.abc import Iterator, Mapping

from mlflow_compose.diagrams.mermaid import Arrow, Chart, Node, Shape
from mlflow_compose.stack import Service, Stack
from mlflow_compose.stack.components import mlflow, postgres, proxy, s3
from mlflow_compose.stack.credentials import APP_KEY, ROOT_KEY
from mlflow_compose.stack.postgres_logins import PG_SERVICE

CLIENTS = "clients"
DATABASE, BUCKET = postgres.NAME, s3.NAME
TRACKING, PROXY = mlflow.NAME, proxy.NAME
# A variable that every client of the bucket has.
S3_REGION = "AWS_DEFAULT_REGION"


def topology(stack: Stack) -> Chart:
    """Return the services with their ports, volumes, servers and keys."""
    arrows = (*_published(stack), *_logins(stack), *_mounts(stack))
    return Chart(_frame(stack), (*_services(stack), *_around(stack)), arrows)


def _frame(stack: Stack) -> str:
    where = f"network {stack.network}" if stack.site.in_containers else "processes on this machine"
    return f"{stack.name}: {where}"


def _services(stack: Stack) -> Iterator[Node]:
    for service in stack.services:
        shape = Shape.JOB if service.one_shot else Shape.BOX
        yield Node(service.name, (service.name, *_purpose(service)), shape, inside=True)


def _purpose(service: Service) -> tuple[str, ...]:
    # The part before the details fits into a box.
    return (service.about.partition(":")[0].partition(",")[0].rstrip("."),)


def _around(stack: Stack) -> Iterator[Node]:
    """Yield what services use that is not a service: clients, volumes and external servers."""
    yield Node(CLIENTS, ("clients",), Shape.ROUND)
    stores = stack.stores
    if stores.runs.external:
        yield Node(DATABASE, ("external server", stores.runs.text), Shape.STORE)
    if stores.artifacts.external:
        yield Node(BUCKET, ("external server", stores.artifacts.text), Shape.STORE)
    for name, about in _data(stack).items():
        yield Node(name, (about,), Shape.STORE)


def _data(stack: Stack) -> Mapping[str, str]:
    """Return the places that hold data: names of nodes, and what they are."""
    kind = "volume" if stack.site.in_containers else "folder"
    volumes = {_place(name): f"{kind} {name}" for name in stack.data_volumes}
    return volumes | {_place(folder): f"folder {folder}" for folder in stack.folders}


def _published(stack: Stack) -> Iterator[Arrow]:
    for service, port in stack.ports:
        login = ", with a login" if port.name == TRACKING and stack.login else ""
        key = ", application key" if _is_for_clients(stack, port.name) else ""
        address = stack.urls.get(port.name) or f"{port.address}:{port.published}"
        yield Arrow(CLIENTS, service.name, f"{address}{login}{key}")
    if stack.artifact_access == "direct" and stack.stores.artifacts.external:
        yield Arrow(CLIENTS, BUCKET, "application key")
    for route in stack.routes:
        yield Arrow(PROXY, route.service, "HTTP")


def _is_for_clients(stack: Stack, port: str) -> bool:
    return port == BUCKET and stack.artifact_access == "direct"


def _logins(stack: Stack) -> Iterator[Arrow]:
    """Yield who talks to a store: a service whose secrets include a key of it, or with a role."""
    application = "the only key" if stack.has_one_key else "application key"
    keys = (
        (PG_SERVICE, DATABASE, "database login"),
        (ROOT_KEY, BUCKET, "root key"),
        (APP_KEY, BUCKET, application),
    )
    for service in stack.services:
        held = {secret.name for secret in service.secrets}
        for secret, server, label in keys:
            if secret in held:
                yield Arrow(service.name, server, label)
        if stack.stores.uses_role and S3_REGION in service.environment:
            yield Arrow(service.name, BUCKET, "the machine's role")


def _mounts(stack: Stack) -> Iterator[Arrow]:
    kept = _data(stack)
    for service in stack.services:
        for mount in service.volumes:
            if (place := _place(mount.source)) in kept:
                path = mount.target if stack.site.in_containers else ""
                yield Arrow(service.name, place, path)


def _place(source: str) -> str:
    """Return the name of the node of a volume or folder; a folder's path may contain anything."""
    readable = re.sub(r"\W+", "_", source, flags=re.ASCII).strip("_")
    return f"data_{readable}"
