"""Where services find their files and each other: in containers, or on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlflow_compose.settings import Settings
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.settings.stores import AWS, BUNDLED_POSTGRES, BUNDLED_S3
from mlflow_compose.stack.service import SecretFile

DOCKER, LOCAL = "docker", "local"
LOOPBACK = "127.0.0.1"
# Docker's name for this machine in containers; on Linux, only where the container is told it.
THIS_MACHINE = "host.docker.internal"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Machine:
    """What a stack without containers must know of the machine that it runs on.

    Attributes:
        cache: Folder in which stacks share what is installed.
        python: Which Python installs it: part of the name of what is installed.
        socket: Where one talks to what watches the servers.
        database_user: Who runs the database, empty for whoever starts the stack.
    """

    cache: str
    python: str
    socket: str = "run/supervisor.sock"
    database_user: str = ""


@dataclass(frozen=True)
class Site:
    """Where services find their files and each other.

    Attributes:
        target: What the stack is rendered as.
        engine: What runs that, empty if nothing here does.
        in_containers: Whether each service has a file system, ports and a host name of its own.
        secrets: Folder of secrets, as services see it.
        database: Host and port.
        s3: Endpoint URL.
        tracking: URL of MLflow.
        listen: Address that MLflow listens on.
        port: Port that MLflow listens on.
        tmp: Folder that artifacts pass through.
        data: Folder of what MLflow keeps itself, where there is no server for it.
        socket: Where one talks to what watches the servers, empty where that is Docker.
        database_user: Who runs the database without a container, empty for whoever starts it.
    """

    target: str
    engine: str
    in_containers: bool
    secrets: str
    database: tuple[str, int]
    s3: str
    tracking: str
    listen: str
    port: int
    tmp: str
    data: str
    socket: str = ""
    database_user: str = ""

    @property
    def servers(self) -> Mapping[str, str]:
        """The hosts of the two stores, by the settings that name them."""
        return {"PG_HOST": self.database[0], "MINIO_HOST": urlsplit(self.s3).hostname or ""}

    @property
    def extra_hosts(self) -> tuple[str, ...]:
        """Names that containers must be told, in Compose's notation."""
        is_named = self.in_containers and THIS_MACHINE in self.servers.values()
        return (f"{THIS_MACHINE}:host-gateway",) if is_named else ()

    @property
    def s3_from_here(self) -> str:
        """The endpoint URL of S3 for a client that is no service."""
        return self.s3.replace(f"//{THIS_MACHINE}:", f"//{LOOPBACK}:")

    def secret(self, name: str) -> str:
        """Return the path of a secret as services see it."""
        return f"{self.secrets}/{name}"

    def certificates(self, secret: SecretFile) -> str:
        """Return the path of the user's CA certificates as services see it."""
        # Without containers nothing is mounted: services read the user's own file.
        is_mounted = self.in_containers or not secret.file
        return self.secret(secret.name) if is_mounted else str(secret.file)


def docker_site(settings: Settings) -> Site:
    """Return the site of a stack in containers: every service has a name and ports of its own."""
    bundled = settings.pg_host == BUNDLED_POSTGRES
    return Site(
        target="compose",
        engine=DOCKER,
        in_containers=True,
        secrets="/run/secrets",
        database=(settings.pg_host, 5432 if bundled else settings.pg_port),
        s3=s3_endpoint(settings, "http://s3:9000"),
        tracking="http://mlflow:5000",
        listen="0.0.0.0",  # noqa: S104 - inside of the container
        port=5000,
        tmp="/tmp",  # noqa: S108 - of the container
        data="/data",
    )


def local_site(settings: Settings, machine: Machine) -> Site:
    """Return the site of a stack on this machine: paths are from the folder of its files."""
    bundled = settings.pg_host == BUNDLED_POSTGRES
    bundled_s3 = f"http://{url_host(s3_address(settings))}:{settings.minio_port}"
    return Site(
        target="local",
        engine=LOCAL,
        in_containers=False,
        secrets="secrets",
        database=(LOOPBACK if bundled else settings.pg_host, settings.pg_port),
        s3=s3_endpoint(settings, bundled_s3),
        tracking=f"http://{url_host(settings.stack_bind_address)}:{settings.mlflow_port}",
        listen=settings.stack_bind_address,
        port=settings.mlflow_port,
        tmp="data/mlflow_tmp",
        data="data/mlflow_data",
        socket=machine.socket,
        database_user=machine.database_user,
    )


def s3_endpoint(settings: Settings, bundled: str) -> str:
    """Return the endpoint URL of S3, empty where clients find it by the region.

    Args:
        settings: What the user said.
        bundled: That of the stack's own service.
    """
    if settings.minio_host == BUNDLED_S3:
        return bundled
    if settings.minio_host == AWS:
        return ""
    scheme = "https" if settings.minio_storage_use_https else "http"
    return f"{scheme}://{url_host(settings.minio_host)}:{settings.minio_port}"


def s3_address(settings: Settings) -> str:
    """Return the address of this machine that S3 answers on.

    Without direct access, only this machine has business with S3: whoever knows a key id of an
    unpatched MinIO can write.
    """
    direct = settings.mlflow_artifact_access == "direct"
    return settings.stack_bind_address if direct else LOOPBACK


def database_addresses(settings: Settings) -> tuple[str, ...]:
    """Return the addresses of this machine that a database without a container listens on."""
    address = settings.stack_bind_address
    if not settings.pg_publish or is_loopback(address):
        return (LOOPBACK,)
    # That of all addresses includes loopback, and cannot be listened on beside it.
    return (address,) if address == EVERY_ADDRESS else (LOOPBACK, address)


def url_host(address: str) -> str:
    """Return an address as URLs and Host headers spell it, for a caller on this machine."""
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    host = any_address.get(address, address)
    return f"[{host}]" if ":" in host else host
