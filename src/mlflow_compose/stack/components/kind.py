"""`Kind`, which each service module defines, and `Surroundings`, the input of its decisions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mlflow_compose.identity import Identity
from mlflow_compose.settings import Settings
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.image import Image
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.service import Build, Service
from mlflow_compose.stack.site import Site
from mlflow_compose.tls import Certificate

if TYPE_CHECKING:
    from mlflow_compose.stack.stores import Stores


NO_CERTIFICATE = Certificate("", "", ())


@dataclass(frozen=True)
class Surroundings:
    """Facts about a stack that determine how its services run.

    Attributes:
        settings: Validated settings.
        site: Paths and addresses of the target.
        stores: Stores of runs and artifacts.
        identity: The stack's id.
        home: The env file's folder, relative to the rendered files.
        lan_names: Names and addresses of this machine on the network.
        image: MLflow's image; without containers, the folder that its packages are installed in.
        build: How that is built, None for a ready-made image.
        images: What other services run from, by name.
        owner: User and group that own the stack's folder, None for root or if unknown.
        servers: Names of the services that keep running and that others connect to.
        jobs: Names of the services that exit when their work is done.
        certificate: Certificate of the proxy, without texts if there is no proxy.
        behind_proxy: Services behind the proxy, each with its port.
    """

    settings: Settings
    site: Site
    stores: "Stores"
    identity: Identity
    home: str
    lan_names: Sequence[str]
    image: str
    build: Build | None
    images: Mapping[str, Image] = field(default_factory=dict)
    owner: tuple[int, int] | None = None
    servers: Sequence[str] = ()
    jobs: Sequence[str] = ()
    certificate: Certificate = field(default=NO_CERTIFICATE, repr=False)
    behind_proxy: Sequence[tuple[Service, PublishedPort]] = ()

    @property
    def has_proxy(self) -> bool:
        """Whether the stack has a proxy, for TLS or in front of several containers of a service."""
        several = self.settings.uses_proxy and not self.site.distributes
        return self.settings.uses_tls or several

    def is_behind_proxy(self, service: Service, port: PublishedPort) -> bool:
        """Tell whether the proxy publishes a port instead of its service."""
        needed = self.settings.uses_tls or service.replicas > 1
        return self.has_proxy and needed and port.is_proxied

    @property
    def no_proxy(self) -> Mapping[str, str]:
        """Variables that make clients bypass a proxy for the services.

        Docker passes the proxy of its configuration to every container.
        """
        names = ",".join(("localhost", "127.0.0.1", *sorted(self.servers)))
        return {"NO_PROXY": names, "no_proxy": names}

    def present(self, conditions: Mapping[str, str]) -> Mapping[str, str]:
        """Return the conditions whose services this stack has."""
        existing = {*self.servers, *self.jobs}
        return {name: condition for name, condition in conditions.items() if name in existing}


def no_causes(_: "Stores") -> Mapping[str, Cause]:
    """Return nothing: the checks do not cover such a service."""
    return {}


@dataclass(frozen=True)
class Kind:
    """A kind of service.

    Attributes:
        names: Returns the names of its services, none if the settings require none.
        in_container: Returns the service of a name, in a container.
        on_machine: Returns the service of a name, without a container.
        volumes: Names of the volumes that its services may have; `*` matches any service's name,
            as in `page-*_data`.
        is_job: Whether its services exit when their work is done.
        is_leaf: Whether no other service connects to its services.
        causes: Returns the causes of failures of its services, by their keys in the checks, worded
            for a stack's stores.
    """

    names: Callable[[Surroundings], Sequence[str]]
    in_container: Callable[[Surroundings, str], Service]
    on_machine: Callable[[Surroundings, str], Service]
    volumes: frozenset[str] = frozenset()
    is_job: bool = False
    is_leaf: bool = False
    causes: Callable[["Stores"], Mapping[str, Cause]] = no_causes


@dataclass(frozen=True)
class VolumeNames:
    """Every name that a volume of a stack may have, as patterns with `*`."""

    patterns: Collection[str]

    def __contains__(self, name: object) -> bool:
        """Tell whether a volume with this name may be a stack's."""
        return any(fnmatchcase(str(name), pattern) for pattern in self.patterns)
