"""What there is to know of an S3 server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlflow_compose.settings import Settings
from mlflow_compose.stack.service import SecretFile
from mlflow_compose.stack.site import Site

# Where each of them answers in its container.
PORT = 9000
DATA = "/data"
# Not by the proxy of Docker's configuration, which every container is handed.
CURL = ("curl", "-fsS", "--noproxy", "*")
# That of busybox, in the images that are built on Alpine.
WGET = ("wget", "-q", "-Y", "off", "-O", "/dev/null")


@dataclass(frozen=True)
class Launch:
    """How a server is started, for one stack.

    Attributes:
        command: Arguments for the image's entry point, or for the one below.
        environment: Variables, none of them secret.
        secrets: Files that it reads its credentials from.
        entrypoint: Instead of the image's own, where that cannot read credentials from files.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretFile, ...] = ()
    entrypoint: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """One S3 server.

    Attributes:
        name: As S3_PROVIDER spells it.
        image: Pinned; MINIO_IMAGE replaces it.
        launch: Says how it is started.
        ready: Path below which it tells anybody whether it is ready.
        health: Command in the container that asks that.
        has_root: Whether it knows a root besides the application's key, which is limited then.
        key_maker: How bucket-init makes that key; empty where the server is started with it.
        mark: Name of what only this server makes in its data folder; empty where there is none.
        owner: User id that the server runs as in its container.
    """

    name: str
    image: str
    launch: Callable[[Settings, Site], Launch]
    ready: str
    health: tuple[str, ...]
    has_root: bool = True
    key_maker: str = ""
    mark: str = ""
    owner: int = 0

    @property
    def volume(self) -> str:
        """The named volume of its objects: no server reads what another one wrote."""
        return f"{self.name}_data"
