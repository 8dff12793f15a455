"""The kinds of services that a stack may have, in start order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.components.bucket_init import BUCKET_INIT
from mlflow_compose.stack.components.jupyter import JUPYTER
from mlflow_compose.stack.components.kind import Kind, Surroundings, VolumeNames
from mlflow_compose.stack.components.mlflow import MLFLOW
from mlflow_compose.stack.components.model_server import MODEL_SERVER
from mlflow_compose.stack.components.pgadmin import PGADMIN
from mlflow_compose.stack.components.postgres import POSTGRES
from mlflow_compose.stack.components.postgres_client import POSTGRES_CLIENT
from mlflow_compose.stack.components.proxy import PROXY
from mlflow_compose.stack.components.reader_init import READER_INIT
from mlflow_compose.stack.components.s3 import S3
from mlflow_compose.stack.components.seat import SEAT
from mlflow_compose.stack.components.seats_init import SEATS_INIT
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.service import Service
from mlflow_compose.stack.stores import Stores

KINDS: Sequence[Kind] = (
    *(POSTGRES, S3, BUCKET_INIT, MLFLOW, JUPYTER, READER_INIT, PGADMIN),
    *(MODEL_SERVER, POSTGRES_CLIENT, SEATS_INIT, SEAT),
    # Last, because it publishes ports of the others.
    PROXY,
)


def known_volumes() -> VolumeNames:
    """Return the names of volumes that stacks may have.

    Any other volume of the project belongs to a service that the user added.
    """
    return VolumeNames({name for kind in KINDS for name in kind.volumes})


def causes_of(stores: Stores) -> Mapping[str, Cause]:
    """Return the causes of failures of a stack's services, by their keys in the checks."""
    return {word: cause for kind in KINDS for word, cause in kind.causes(stores).items()}


def services(around: Surroundings) -> tuple[Service, ...]:
    """Return the services and the tools that the settings require."""
    wanted = [(kind, name) for kind in KINDS for name in kind.names(around)]
    complete = replace(
        around,
        servers=tuple(name for kind, name in wanted if not (kind.is_job or kind.is_leaf)),
        jobs=tuple(name for kind, name in wanted if kind.is_job),
    )
    found: list[Service] = []
    for kind, name in wanted:
        # The proxy comes last, when the ports of all others are known.
        present = replace(complete, behind_proxy=tuple(_proxied(complete, found)))
        make = kind.in_container if around.site.in_containers else kind.on_machine
        service = make(present, name)
        found.append(service if around.site.limits_memory else replace(service, memory=None))
    return tuple(_behind_proxy(around, service) for service in found)


def _proxied(
    around: Surroundings, found: Sequence[Service]
) -> Iterator[tuple[Service, PublishedPort]]:
    """Yield every port that the proxy publishes, with its service."""
    for service in found:
        for port in service.ports:
            if around.is_behind_proxy(service, port):
                yield service, port


def _behind_proxy(around: Surroundings, service: Service) -> Service:
    """Return a service that does not publish the ports that the proxy does."""
    behind = [port for port in service.ports if around.is_behind_proxy(service, port)]
    return replace(
        service,
        ports=tuple(port for port in service.ports if port not in behind),
        inner_ports=() if around.site.in_containers else tuple(port.target for port in behind),
    )
