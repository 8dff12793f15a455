"""What a service is, in Compose's words: frozen values, compared by content."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

# Docker hands a proxy of its configuration to every container; the services know each other.
_NAMES = "localhost,127.0.0.1,mlflow,postgres,s3"
DIRECT: Mapping[str, str] = MappingProxyType({"NO_PROXY": _NAMES, "no_proxy": _NAMES})

STARTED = "service_started"
HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"

# The image is made here; without this, Compose first asks a registry for it.
NEVER = "never"

# Seconds after which a server that does not answer counts as broken, not as slow.
PATIENCE = 300


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
    """How the engine finds out that a service does its work; times are in seconds.

    There is no start period: since Docker 25 a server that is starting is asked every 5 seconds in
    it, whatever the interval, and the key against that is refused by older engines. Each check is
    a new process in the container, so a server that is idle is asked seldom, and those that need
    it while it starts ask by themselves.
    """

    test: tuple[str, ...]
    interval: int = 5
    timeout: int = 5

    @property
    def command(self) -> tuple[str, ...]:
        """The test without Compose's word for what follows."""
        return self.test[1:]

    @property
    def retries(self) -> int:
        """Failures in a row that make it unhealthy: a slow start must not."""
        return PATIENCE // self.interval


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
    # An image, or for a service without a container the folder that it is installed in.
    image: str
    restart: str
    build: Build | None = None
    pull_policy: str | None = None
    # Instead of the image's own.
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretFile, ...] = ()
    volumes: tuple[Volume | Bind, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    healthcheck: Healthcheck | None = None
    depends_on: Mapping[str, str] = field(default_factory=dict)
    memory: str | None = None
    unprivileged: bool = False
    stop_signal: str = "TERM"

    @property
    def one_shot(self) -> bool:
        """Whether it ends by itself when its work is done."""
        return self.restart == "no"

    @property
    def data_folders(self) -> tuple[str, ...]:
        """Its volumes without a container: folders that it makes itself if they are missing.

        Those of a service that root runs as another user are made by the service's own script.
        """
        if self.environment.get("RUN_AS"):
            return ()
        return tuple(mount.target for mount in self.volumes if isinstance(mount, Volume))


def from_home(path: str, home: str) -> str:
    """Return a path of the env file as the rendered files must spell it.

    Args:
        path: Absolute, or meant from the env file's folder.
        home: That folder as seen from the rendered files.
    """
    return path if path.startswith("/") else f"{home}/{path}"
