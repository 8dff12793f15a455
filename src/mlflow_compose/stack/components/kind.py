"""What a module of a service defines: a `Kind`, from what the services of a stack are put into."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mlflow_compose.identity import Identity
from mlflow_compose.settings import Settings
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.service import Build, Service
from mlflow_compose.stack.site import Site

if TYPE_CHECKING:
    from mlflow_compose.stack.stores import Stores


@dataclass(frozen=True)
class Surroundings:
    """What the services of a stack are put into; each decides from it how it runs.

    Attributes:
        settings: What the user said.
        site: Where services find their files and each other.
        stores: Where runs and artifacts are kept.
        identity: Which stack it is.
        home: The env file's folder as seen from that of the rendered files.
        lan_names: This machine's names on the network that it serves.
        image: MLflow's image, or without containers the folder that its packages are installed in.
        build: How that is made, None if it is a ready-made image.
        servers: Names of the services that keep running.
        jobs: Names of the services that end when their work is done.
    """

    settings: Settings
    site: Site
    stores: "Stores"
    identity: Identity
    home: str
    lan_names: Sequence[str]
    image: str
    build: Build | None
    servers: Sequence[str] = ()
    jobs: Sequence[str] = ()

    @property
    def no_proxy(self) -> Mapping[str, str]:
        """Variables by which clients reach the services themselves.

        Docker hands a proxy of its configuration to every container.
        """
        names = ",".join(("localhost", "127.0.0.1", *sorted(self.servers)))
        return {"NO_PROXY": names, "no_proxy": names}

    def present(self, conditions: Mapping[str, str]) -> Mapping[str, str]:
        """Return the conditions of those services, by name, that this stack has."""
        there = {*self.servers, *self.jobs}
        return {name: condition for name, condition in conditions.items() if name in there}


def no_causes(_: "Stores") -> Mapping[str, Cause]:
    """Return nothing: the checks do not look at such a service."""
    return {}


@dataclass(frozen=True)
class Kind:
    """A kind of service.

    Attributes:
        names: Returns what its services are called, nothing if none is wanted.
        in_container: Returns how the service of a name runs in a container.
        on_machine: Returns how it runs without one.
        volumes: Names of the volumes that its services may have; `*` matches any service's name,
            as in `page-*_data`.
        is_job: Whether it ends when its work is done.
        causes: Returns what can go wrong with its services, by the checks' name for it, in words
            that fit a stack's stores.
    """

    names: Callable[[Surroundings], Sequence[str]]
    in_container: Callable[[Surroundings, str], Service]
    on_machine: Callable[[Surroundings, str], Service]
    volumes: frozenset[str] = frozenset()
    is_job: bool = False
    causes: Callable[["Stores"], Mapping[str, Cause]] = no_causes


@dataclass(frozen=True)
class VolumeNames:
    """Every name that a volume of a stack may have; a `*` matches any service's name."""

    patterns: Collection[str]

    def __contains__(self, name: object) -> bool:
        """Tell whether a volume of this name is a stack's."""
        return any(fnmatchcase(str(name), pattern) for pattern in self.patterns)
