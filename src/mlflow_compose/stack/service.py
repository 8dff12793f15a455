"""The definition of a service, in Compose's terms: frozen values, compared by content."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import Listener, PublishedPort

STARTED = "service_started"
HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"

# For images that are built here: otherwise, Compose first tries to pull them.
NEVER = "never"

# Unlikely to be a user of the host, whose files a container must not access.
USER = 10001


@dataclass(frozen=True)
class SecretFile:
    """A secret that services read from a file, never from a variable.

    Attributes:
        name: File name below `secrets/`, and name of the secret in Compose.
        text: Contents of the file.
        about: Description for readers of the rendered file.
        file: The user's file to use instead of writing `text`.
        folder: Folder below `secrets/`, empty for `secrets/` itself: services of one kind have
            secrets of the same name.
        is_reread: Whether its readers notice a change themselves, and need no restart.
    """

    name: str
    text: str = field(repr=False)
    about: str
    file: str | None = None
    folder: str = ""
    is_reread: bool = False

    @property
    def key(self) -> str:
        """Its name in Compose, unique in the stack."""
        return f"{self.folder}-{self.name}" if self.folder else self.name

    @property
    def path(self) -> str:
        """Path of the file below `secrets/`."""
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def source(self) -> str:
        """Path of the file, relative to the rendered file."""
        return self.file or f"./secrets/{self.path}"


@dataclass(frozen=True)
class Volume:
    """A named volume, mounted at `target`.

    Attributes:
        source: Volume name, which must be in `Kind.volumes`.
        target: Path in the service.
        is_scratch: Whether its contents may be lost.
        holds: Description of its contents for users; empty for those of stores, which `Stores`
            describes.
    """

    source: str
    target: str
    is_scratch: bool = False
    holds: str = ""
    type: ClassVar[str] = "volume"
    read_only: ClassVar[bool] = False


@dataclass(frozen=True)
class Bind:
    """A folder of the host, mounted at `target`.

    Attributes:
        source: Path on the host, relative to the rendered files.
        target: Path in the service.
        read_only: Whether the service may only read it.
        is_users: Whether its files are the user's own, and not data of the stack.
    """

    source: str
    target: str
    read_only: bool = False
    is_users: bool = False
    type: ClassVar[str] = "bind"


@dataclass(frozen=True)
class Build:
    """How an image, or a folder of packages, is built.

    Attributes:
        context: Build context, relative to the rendered file.
        base: Base image.
        requirements: Text of the requirements file.
        install_options: Options of the command that installs them.
        contents: What is installed, for the progress line.
        packages: Requirements that the user adds; they have no hashes.
        secrets: Files that the build may read; they leave no trace in the image.
        user: User id that the image runs as.
    """

    context: str
    base: str
    requirements: str = field(repr=False)
    install_options: tuple[str, ...]
    contents: str
    packages: tuple[str, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    user: int = USER

    @property
    def install_arguments(self) -> str:
        """The options, quoted for a shell."""
        return shlex.join(self.install_options)


@dataclass(frozen=True)
class Service:
    """One service: a server that keeps running, or a one-shot job; in Compose's terms.

    Attributes:
        name: Service name, and host name of its container.
        about: Its purpose, in one sentence.
        image: Image of the container; without containers, the folder of its packages.
        restart: Restart policy.
        build: How the image is built, None for a ready-made image.
        pull_policy: When the image is pulled, None for Compose's default.
        entrypoint: Entry point that replaces the image's.
        user: User and group ids in the container, empty for the image's default.
        read_only: Whether the container's root file system is read-only.
        cap_drop: Capabilities that the container must not have.
        stop_signal: Signal that stops it.
        folder: Folder of its templates, empty if it has none.
        shared: Templates of the containers that it also needs without one: files, and folders with
            a trailing slash.
        unused: Files in its templates' folder that it does not need.
        modules: Modules of this package that its programs import, by path.
        is_tool: Whether it only runs while a command uses it.
        is_independent: Whether the rest of the stack works without it: if it fails, that is
            reported, but the others are started.
        cpus: Processor cores that it may use, None for all.
        init: Whether the container's first process is Docker's, which collects processes that
            ended.
        runs_code: Whether it runs programs of its users, whose needs are unknown.
        listeners: Its ports with the services behind them, if it is the proxy.
        processes: Number of server processes, each of which may need WORKER_MEMORY.
        inner_ports: Loopback ports of this machine on which it listens behind the proxy.
        replicas: Number of its containers.
        stop_seconds: Seconds that it has to end, None for the engine's default.
    """

    name: str
    about: str
    image: str
    restart: str
    build: Build | None = None
    pull_policy: str | None = None
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
    user: str = ""
    read_only: bool = False
    cap_drop: tuple[str, ...] = ()
    stop_signal: str = "TERM"
    folder: str = ""
    shared: tuple[str, ...] = ()
    unused: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()
    is_tool: bool = False
    is_independent: bool = False
    cpus: str | None = None
    init: bool = False
    runs_code: bool = False
    listeners: tuple[Listener, ...] = ()
    inner_ports: tuple[int, ...] = ()
    processes: int = 1
    replicas: int = 1
    stop_seconds: int | None = None

    @property
    def has_several(self) -> bool:
        """Whether it has several containers."""
        return self.replicas > 1

    @property
    def waits_for_health(self) -> tuple[str, ...]:
        """Services that must be healthy before it starts."""
        return tuple(name for name, found in self.depends_on.items() if found == HEALTHY)

    @property
    def waits_for_end(self) -> tuple[str, ...]:
        """Jobs that must have completed before it starts."""
        return tuple(name for name, found in self.depends_on.items() if found == COMPLETED)

    @property
    def starts_last(self) -> bool:
        """Whether it starts after all others, in any order among those like it."""
        return self.is_independent and not self.one_shot

    @property
    def one_shot(self) -> bool:
        """Whether it exits when its work is done."""
        return self.restart == "no"

    @property
    def data_folders(self) -> tuple[str, ...]:
        """Its volumes without a container: folders that its run script creates.

        A service that root runs as another user creates its own.
        """
        if self.environment.get("RUN_AS"):
            return ()
        return tuple(mount.target for mount in self.volumes if isinstance(mount, Volume))


def unprivileged(service: Service) -> Service:
    """Return a service that runs as an ordinary user and may write to its volumes only."""
    return replace(service, user=f"{USER}:{USER}", read_only=True, cap_drop=("ALL",))


def from_home(path: str, home: str) -> str:
    """Return a path of the env file, relative to the rendered files.

    Args:
        path: Absolute, or relative to the env file's folder.
        home: That folder, relative to the rendered files.
    """
    return path if path.startswith("/") else f"{home}/{path}"
