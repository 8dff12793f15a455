"""The nouns of a stack, in Compose's words. All of them are values: frozen, compared by content."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

# Docker hands a proxy of its configuration to every container; the services know each other.
_NAMES = "localhost,127.0.0.1,mlflow,postgres,s3"
DIRECT: Mapping[str, str] = MappingProxyType({"NO_PROXY": _NAMES, "no_proxy": _NAMES})

MASK = "********"

HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"

# The image is made here; without this, Compose first asks a registry for it.
NEVER = "never"


@dataclass(frozen=True)
class SecretFile:
    """A secret that services read from a file, never from a variable.

    Attributes:
        name: Of the file below `secrets/`, and of the secret in Compose.
        text: What the file holds.
        about: What it is, for a reader of the rendered file.
        file: Another file to take it from, instead of writing `text`.
    """

    name: str
    text: str = field(repr=False)
    about: str
    file: str | None = None

    @property
    def path(self) -> str:
        """Where a container finds it."""
        return f"/run/secrets/{self.name}"

    @property
    def source(self) -> str:
        """Where Compose finds it, from the folder of the rendered file."""
        return self.file or f"./secrets/{self.name}"


@dataclass(frozen=True)
class Volume:
    """A named volume, mounted at `target`."""

    source: str
    target: str
    type: ClassVar[str] = "volume"
    read_only: ClassVar[bool] = False


@dataclass(frozen=True)
class Bind:
    """A folder of this machine, mounted at `target`."""

    source: str
    target: str
    read_only: bool = False
    type: ClassVar[str] = "bind"


@dataclass(frozen=True)
class PublishedPort:
    """A port of a service that this machine answers on.

    Attributes:
        name: What answers there: mlflow, s3, console or postgres.
        variable: The setting that chooses the port.
        address: Of this machine.
        published: The port of this machine.
        target: The port inside.
    """

    name: str
    variable: str
    address: str
    published: int
    target: int

    @property
    def text(self) -> str:
        """The port as Compose writes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.published}:{self.target}"


@dataclass(frozen=True)
class Healthcheck:
    """How the engine finds out that a service does its work; times are in seconds."""

    test: tuple[str, ...]
    interval: int = 2
    timeout: int = 5
    retries: int = 15
    # Long, since it ends with the first success: how long one waits is `up --wait-timeout`'s.
    start_period: int = 600


@dataclass(frozen=True)
class Build:
    """How an image is made.

    Attributes:
        context: Folder, from that of the rendered file.
        base: Image to start from.
        requirements: Text of the requirements file.
        install_options: Of the command that installs them.
        secrets: Files that the build may read; they leave no trace in the image.
    """

    context: str
    base: str
    requirements: str = field(repr=False)
    install_options: tuple[str, ...]
    secrets: tuple[SecretFile, ...] = ()

    @property
    def install_arguments(self) -> str:
        """The options as a shell reads them."""
        return shlex.join(self.install_options)


@dataclass(frozen=True)
class Service:
    """One service: a server that runs on, or a one-shot job."""

    name: str
    about: str
    image: str
    restart: str
    build: Build | None = None
    pull_policy: str | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretFile, ...] = ()
    volumes: tuple[Volume | Bind, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    healthcheck: Healthcheck | None = None
    depends_on: Mapping[str, str] = field(default_factory=dict)
    memory: str | None = None
    unprivileged: bool = False

    @property
    def one_shot(self) -> bool:
        """Whether it ends by itself when its work is done."""
        return self.restart == "no"


@dataclass(frozen=True)
class Stack:
    """Everything that runs, and what a client must know of it."""

    name: str
    services: tuple[Service, ...]
    bucket: str
    artifact_access: str
    mlflow_version: str
    login: tuple[str, str] | None = field(repr=False)
    app_key: tuple[str, str] = field(repr=False)
    region: str
    sensitive: tuple[str, ...] = field(repr=False)
    network: str = "backend"

    @property
    def volumes(self) -> tuple[str, ...]:
        """The named volumes, sorted."""
        mounts = (mount for service in self.services for mount in service.volumes)
        return tuple(sorted({mount.source for mount in mounts if isinstance(mount, Volume)}))

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders of this machine that hold data, as the rendered files spell them."""
        mounts = (mount for service in self.services for mount in service.volumes)
        return tuple(
            mount.source for mount in mounts if isinstance(mount, Bind) and not mount.read_only
        )

    @property
    def secrets(self) -> tuple[SecretFile, ...]:
        """Every secret that a service or a build reads, sorted by name."""
        used = {
            secret.name: secret
            for service in self.services
            for secret in (*service.secrets, *(service.build.secrets if service.build else ()))
        }
        return tuple(used[name] for name in sorted(used))

    @property
    def ports(self) -> tuple[tuple[Service, PublishedPort], ...]:
        """Every published port with its service."""
        return tuple((service, port) for service in self.services for port in service.ports)

    @property
    def urls(self) -> Mapping[str, str]:
        """What this machine's user opens, by name: mlflow, s3, console."""
        found = {port.name: port for _, port in self.ports}
        return {
            name: f"http://{url_host(found[name].address)}:{found[name].published}"
            for name in URL_NAMES
            if name in found
        }

    @property
    def built(self) -> Service | None:
        """The service whose image is built here, None where a ready-made one is used."""
        return next((service for service in self.services if service.build), None)

    def service(self, name: str) -> Service:
        """Return the service called `name`."""
        return next(service for service in self.services if service.name == name)

    def mask(self, text: str) -> str:
        """Return `text` without any of the stack's secrets."""
        for secret in self.sensitive:
            text = text.replace(secret, MASK)
        return text


URL_NAMES = ("mlflow", "s3", "console")


def from_home(path: str, home: str) -> str:
    """Return a path of the env file as the rendered files must spell it.

    Args:
        path: Absolute, or meant from the env file's folder.
        home: That folder as seen from the rendered files.
    """
    return path if path.startswith("/") else f"{home}/{path}"


def url_host(address: str) -> str:
    """Return an address as URLs and Host headers spell it, for a caller on this machine."""
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    host = any_address.get(address, address)
    return f"[{host}]" if ":" in host else host
