"""What a service is, in Compose's words: frozen values, compared by content."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

STARTED = "service_started"
HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"

# The image is made here; without this, Compose first asks a registry for it.
NEVER = "never"

# An ordinary user of no machine: what runs in containers has no business with its files.
USER = 10001

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
    """A named volume, mounted at `target`.

    Attributes:
        source: Volume name; `Kind.volumes` must have it, too.
        target: Path where the service finds it.
        is_scratch: Whether its contents may be lost.
        holds: Its contents, as users read it before they are deleted; empty for those of stores,
            which `Stores` names.
    """

    source: str
    target: str
    is_scratch: bool = False
    holds: str = ""
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
        label: What answers there, as users read it.
        scheme: URL scheme, empty for a protocol that no browser speaks.
    """

    name: str
    variable: str
    address: str
    published: int
    target: int
    label: str
    scheme: str = ""

    @property
    def text(self) -> str:
        """The port as Compose writes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.published}:{self.target}"


@dataclass(frozen=True)
class Healthcheck:
    """How the engine finds out that a service does its work; times are in seconds.

    Attributes:
        test: Command, after Compose's word for what it is.
        interval: Between two checks.
        timeout: After which a check has failed.
        waits: That the test itself spends on a server that does not listen yet.

    There is no start period: since Docker 25 a server that is starting is asked every 5 seconds in
    it, whatever the interval, and the key against that is refused by older engines. Each check is
    a new process in the container, so a server that is idle is asked seldom, and those that need
    it while it starts ask by themselves.
    """

    test: tuple[str, ...]
    interval: int = 5
    timeout: int = 5
    waits: int = 0

    @property
    def command(self) -> tuple[str, ...]:
        """The test without Compose's word for what follows."""
        return self.test[1:]

    @property
    def retries(self) -> int:
        """Failures in a row that make it unhealthy: a slow start must not."""
        return PATIENCE // (self.interval + self.waits)


@dataclass(frozen=True)
class Build:
    """How an image is made.

    Attributes:
        context: Folder, from that of the rendered file.
        base: Image to start from.
        requirements: Text of the requirements file.
        install_options: Options of the command that installs them.
        contents: What is installed, as users read it.
        secrets: Files that the build may read; they leave no trace in the image.
        user: Id of the user that the image runs as.
    """

    context: str
    base: str
    requirements: str = field(repr=False)
    install_options: tuple[str, ...]
    contents: str
    secrets: tuple[SecretFile, ...] = ()
    user: int = USER

    @property
    def install_arguments(self) -> str:
        """The options as a shell reads them."""
        return shlex.join(self.install_options)


@dataclass(frozen=True)
class Service:
    """One service: a server that keeps running, or a one-shot job; in Compose's words.

    Attributes:
        name: Of the service, and of its container's host.
        about: What it is for, in one sentence.
        image: Of the container; without one, the folder that its packages are installed in.
        restart: When it is started again.
        build: How the image is made, None if it is not made here.
        pull_policy: When the image is pulled, None for Compose's own choice.
        entrypoint: Instead of the image's own.
        user: Whom it runs as in its container, empty for the image's own choice.
        read_only: Whether it can change nothing but its volumes.
        cap_drop: Privileges that its container must not have.
        stop_signal: That ends it.
        folder: Of its templates, empty if it has none.
        shared: Templates of the containers that it needs without one, too: files, and folders
            that end with a slash.
        unused: Files of its templates' folder that it does not need.
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

    @property
    def waits_for_health(self) -> tuple[str, ...]:
        """Services that must be healthy before it starts."""
        return tuple(name for name, found in self.depends_on.items() if found == HEALTHY)

    @property
    def waits_for_end(self) -> tuple[str, ...]:
        """Jobs that must have done their work before it starts."""
        return tuple(name for name, found in self.depends_on.items() if found == COMPLETED)

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


def unprivileged(service: Service) -> Service:
    """Return a service as a container runs it that needs no more than its volumes."""
    return replace(service, user=f"{USER}:{USER}", read_only=True, cap_drop=("ALL",))


def from_home(path: str, home: str) -> str:
    """Return a path of the env file as the rendered files must spell it.

    Args:
        path: Absolute, or meant from the env file's folder.
        home: That folder as seen from the rendered files.
    """
    return path if path.startswith("/") else f"{home}/{path}"
