"""The record of an S3 server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlflow_compose.settings import Settings
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.service import SecretFile
from mlflow_compose.stack.site import Site

# Port of every provider in its container.
PORT = 9000
DATA = "/data"
# Docker passes the proxy of its configuration to every container.
CURL = ("curl", "-fsS", "--noproxy", "*", "--max-time", str(Healthcheck.attempt))
# busybox's wget, in images based on Alpine.
WGET = ("wget", "-q", "-Y", "off", "-T", str(Healthcheck.attempt), "-O", "/dev/null")


@dataclass(frozen=True)
class Launch:
    """How a server is started, for one stack.

    Attributes:
        command: Arguments of the entry point.
        environment: Variables, none of them secret.
        secrets: Files that it reads its credentials from.
        entrypoint: Entry point that replaces the image's if that cannot read credentials from
            files.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretFile, ...] = ()
    entrypoint: tuple[str, ...] = ()


def memory_of_go(settings: Settings) -> Mapping[str, str]:
    """Return the variables with which a server written in Go tries to need little memory."""
    target = memory_target(settings)
    return {"GOMEMLIMIT": f"{target}MiB"} if target else {}


def memory_target(settings: Settings) -> int:
    """Return the memory that the server tries to stay below, in mebibytes; 0 for any."""
    target, limit = settings.minio_memory_target, settings.minio_memory
    if not target:
        return 0
    # Some room below the limit, at which the container would be killed.
    return min(mebibytes(target), mebibytes(limit) * 4 // 5) if limit else mebibytes(target)


@dataclass(frozen=True)
class Provider:
    """One S3 server.

    Attributes:
        name: Value of S3_PROVIDER.
        image: Pinned image; MINIO_IMAGE replaces it.
        launch: Returns how it is started.
        ready: URL path of its readiness check, which needs no key.
        health: Command in the container that runs this check.
        has_root: Whether it has a root key, so that the application's key is limited.
        key_maker: Suffix of bucket-init's module that creates the application's key; empty if the
            server is started with it.
        mark: Name of an entry that only this server creates in its data folder, empty if none.
        owner: User id that the server runs as in its container.
        metrics: URL path of its metrics for Prometheus, empty if it has none.
        refuses_check: Whether the answer to `ready` is an error, even if it is ready.
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
    metrics: str = ""
    refuses_check: bool = False

    @property
    def volume(self) -> str:
        """The named volume of its objects; no server reads the format of another one."""
        return f"{self.name}_data"
