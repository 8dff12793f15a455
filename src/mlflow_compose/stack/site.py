"""Paths and addresses of a target: in containers, or on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mlflow_compose.settings import Settings
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.settings.stores import AWS, BUNDLED_POSTGRES, BUNDLED_S3
from mlflow_compose.stack.namespace import Namespace, place_of
from mlflow_compose.stack.service import SecretFile

DOCKER, LOCAL, KUBERNETES = "docker", "local", "kubernetes"
LOOPBACK = "127.0.0.1"
# Docker's name for this machine in containers; on Linux it needs an entry in extra_hosts.
THIS_MACHINE = "host.docker.internal"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Host:
    """Facts about this machine that only units need: paths are absolute.

    Attributes:
        root: Folder of the env file.
        user: User that the services run as: the one that renders them.
        python: Folder of the Python that the packages were installed with.
    """

    root: str
    user: str
    python: str


@dataclass(frozen=True)
class Machine:
    """Facts about the machine of a stack without containers.

    Attributes:
        cache: Folder of installed packages, which stacks share.
        python: Tag of the Python that installs them, part of the folder's name.
        socket: supervisord's socket.
        database_user: User that runs the database, empty for the one that starts the stack.
        uv: Program that installs packages.
        host: What only units need.
    """

    cache: str
    python: str
    socket: str = "run/supervisor.sock"
    database_user: str = ""
    uv: str = "uv"
    host: Host | None = None


@dataclass(frozen=True)
class Site:
    """Paths and addresses of a target, as services see them.

    Attributes:
        target: Name of the target that the stack is rendered as.
        engine: Name of the engine that runs it, empty if none does.
        in_containers: Whether each service has its own file system, ports and host name.
        secrets: Folder of secrets.
        database: Host and port of the database.
        s3: S3 endpoint URL, empty for Amazon's.
        tracking: URL of MLflow.
        listen: Address that MLflow listens on.
        port: Port that MLflow listens on.
        offset: Difference between a server's port and the published one, if the proxy publishes it.
        host: What only units need, None for other targets.
        tmp: Folder for artifacts in transit.
        data: Folder of stores without a server: SQLite file and artifacts.
        socket: supervisord's socket, empty with Docker.
        database_user: User that runs the database without a container, empty for the one that
            starts the stack.
        uv: Program that installs packages, empty if services have to get it themselves.
        namespace: Place in a cluster, None outside of one.
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
    uv: str = ""
    offset: int = 0
    host: Host | None = None
    namespace: Namespace | None = None

    @property
    def distributes(self) -> bool:
        """Whether what runs the services distributes connections over several containers of one."""
        return self.namespace is not None

    @property
    def limits_memory(self) -> bool:
        """Whether what runs the services can limit their memory."""
        return self.in_containers or self.host is not None

    @property
    def servers(self) -> Mapping[str, str]:
        """The hosts of the two stores, by the settings that name them."""
        return {"PG_HOST": self.database[0], "MINIO_HOST": urlsplit(self.s3).hostname or ""}

    @property
    def extra_hosts(self) -> tuple[str, ...]:
        """Host names that containers need, in Compose's syntax."""
        is_named = self.in_containers and THIS_MACHINE in self.servers.values()
        return (f"{THIS_MACHINE}:host-gateway",) if is_named else ()

    @property
    def s3_from_here(self) -> str:
        """The S3 endpoint URL for clients on this machine."""
        return self.s3.replace(f"//{THIS_MACHINE}:", f"//{LOOPBACK}:")

    def volume(self, service: str, name: str) -> str:
        """Return what the volume of a service's data is called."""
        return f"{service}-data" if self.namespace else name

    def secret(self, name: str) -> str:
        """Return the path of a secret as services see it."""
        return f"{self.secrets}/{name}"

    def certificates(self, secret: SecretFile) -> str:
        """Return the path of the user's CA certificates as services see it."""
        # Without containers nothing is mounted: services read the user's own file.
        is_mounted = self.in_containers or not secret.file
        return self.secret(secret.name) if is_mounted else str(secret.file)


def docker_site(settings: Settings) -> Site:
    """Return the site of a stack in containers."""
    bundled = settings.pg_host == BUNDLED_POSTGRES
    return Site(
        target="compose",
        engine=DOCKER,
        in_containers=True,
        secrets="/run/secrets",
        database=(settings.pg_host, 5432 if bundled else settings.pg_port),
        s3=s3_endpoint(settings, "http://s3:9000"),
        tracking="http://mlflow:5000",
        listen="0.0.0.0",  # noqa: S104 - inside the container
        port=5000,
        tmp="/tmp",  # noqa: S108 - of the container
        data="/data",
    )


def helm_site(settings: Settings) -> Site:
    """Return the site of a stack in a Kubernetes cluster: containers that are called the same."""
    return replace(
        docker_site(settings),
        target="helm",
        engine=KUBERNETES,
        namespace=place_of(settings),
        # Cloud providers mount the tokens of their identities below /run/secrets.
        secrets="/secrets",
    )


def local_site(settings: Settings, machine: Machine) -> Site:
    """Return the site of a stack on this machine; paths are relative to the rendered files."""
    bundled = settings.pg_host == BUNDLED_POSTGRES
    bundled_s3 = f"http://{url_host(s3_address(settings))}:{settings.minio_port}"
    # Behind the proxy, which has the published address and port.
    listen = LOOPBACK if settings.uses_tls else settings.stack_bind_address
    offset = settings.stack_tls_offset if settings.uses_tls else 0
    port = settings.mlflow_port + offset
    return Site(
        target="local",
        engine=LOCAL,
        in_containers=False,
        secrets="secrets",
        database=(LOOPBACK if bundled else settings.pg_host, settings.pg_port),
        s3=s3_endpoint(settings, bundled_s3),
        tracking=f"http://{url_host(listen)}:{port}",
        listen=listen,
        port=port,
        tmp="data/mlflow_tmp",
        data="data/mlflow_data",
        socket=machine.socket,
        database_user=machine.database_user,
        uv=machine.uv,
        offset=offset,
    )


def s3_endpoint(settings: Settings, bundled: str) -> str:
    """Return the S3 endpoint URL, empty if clients derive it from the region.

    Args:
        settings: Validated settings.
        bundled: URL of the bundled service.
    """
    if settings.minio_host == BUNDLED_S3:
        return bundled
    if settings.minio_host == AWS:
        return ""
    scheme = "https" if settings.minio_storage_use_https else "http"
    return f"{scheme}://{url_host(settings.minio_host)}:{settings.minio_port}"


def s3_address(settings: Settings) -> str:
    """Return the address of this machine that S3 binds to.

    Without direct access, only this machine needs S3, and with an unpatched MinIO a key id is
    enough to write.
    """
    direct = settings.mlflow_artifact_access == "direct"
    return settings.stack_bind_address if direct else LOOPBACK


def database_addresses(settings: Settings) -> tuple[str, ...]:
    """Return the addresses of this machine that a database without a container listens on."""
    address = settings.stack_bind_address
    if not settings.pg_publish or is_loopback(address):
        return (LOOPBACK,)
    # All addresses include loopback: binding both would fail.
    return (address,) if address == EVERY_ADDRESS else (LOOPBACK, address)


def url_host(address: str) -> str:
    """Return an address in the form of URLs and Host headers, for a client on this machine."""
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    host = any_address.get(address, address)
    return f"[{host}]" if ":" in host else host
