"""The stack: everything that runs, and what clients need to know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlflow_compose.stack.ports import Listener, PublishedPort, Route
from mlflow_compose.stack.providers import PROVIDERS
from mlflow_compose.stack.service import Bind, SecretFile, Service, Volume
from mlflow_compose.stack.site import Site, url_host
from mlflow_compose.stack.stores import Stores
from mlflow_compose.tls import Certificate

# boto3's names.
Checksums = Literal["when_supported", "when_required"]

MASK = "********"


@dataclass(frozen=True)
class Stack:
    """Everything that runs, and what clients need to know.

    Attributes:
        name: Compose project name.
        identity: Stack id, which everything of the stack carries.
        site: Paths and addresses of the target.
        services: Services in start order.
        stores: Stores of runs and artifacts.
        artifact_access: proxied or direct.
        s3_provider: Bundled S3 server, empty if there is none.
        key_is_limited: Whether the application's S3 key may only use the bucket.
        mlflow_version: Requested MLflow version.
        login: Name and password of the first admin, None without login.
        app_key: The application's S3 key: id and secret; empty if AWS gives the stack a role.
        region: Region of S3 requests.
        checksums: When S3 requests carry the newer checksums.
        sensitive: Texts to mask in output, longest first.
        jupyter_token: Token of JupyterLab, empty without it.
        pgadmin_login: Name and password of pgAdmin's login, None without pgAdmin.
        ca_certs: CA certificates with which clients on this machine verify S3, empty for the
            system's.
        network: Network of the containers.
        tools: Services that only run while a command uses them.
        workspaces: Whether the tracking server has workspaces.
        reader: Name and password of the database role that can only read, None without PostgreSQL.
        pg_service: Section of the service file with which PostgreSQL's clients log in.
        tls_host: Name in https URLs for this machine's user, empty without a proxy.
        tls_ca: File of CA certificates to verify the proxy with, empty for the system's.
        certificate: Certificate of the proxy, None without one.
        settings: Settings that are set and are no secrets, by variable.
    """

    name: str
    identity: str
    site: Site
    services: tuple[Service, ...]
    stores: Stores
    artifact_access: str
    s3_provider: str
    key_is_limited: bool
    mlflow_version: str
    login: tuple[str, str] | None = field(repr=False)
    app_key: tuple[str, str] = field(repr=False)
    region: str
    checksums: Checksums
    sensitive: tuple[str, ...] = field(repr=False)
    jupyter_token: str = field(default="", repr=False)
    pgadmin_login: tuple[str, str] | None = field(default=None, repr=False)
    ca_certs: str = ""
    network: str = "backend"
    tools: tuple[Service, ...] = ()
    workspaces: bool = False
    reader: tuple[str, str] | None = field(default=None, repr=False)
    pg_service: str = "mlflow"
    tls_host: str = ""
    tls_ca: str = ""
    certificate: Certificate | None = field(default=None, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def defined(self) -> tuple[Service, ...]:
        """The services and the tools."""
        return (*self.services, *self.tools)

    @property
    def artifact_prefix(self) -> str:
        """What the keys of artifacts begin with, if a client names no workspace."""
        return "workspaces/default/" if self.workspaces else ""

    @property
    def volumes(self) -> tuple[str, ...]:
        """The named volumes, sorted."""
        return tuple(sorted({mount.source for mount in self._mounts if isinstance(mount, Volume)}))

    @property
    def data_volumes(self) -> tuple[str, ...]:
        """The named volumes whose contents must not be lost, sorted."""
        volumes = (mount for mount in self._mounts if isinstance(mount, Volume))
        return tuple(sorted({volume.source for volume in volumes if not volume.is_scratch}))

    @property
    def own_data(self) -> tuple[str, ...]:
        """The data that is deleted with the volumes, worded for users."""
        volumes = (mount for mount in self._mounts if isinstance(mount, Volume))
        held = (volume.holds for volume in volumes if volume.holds)
        return tuple(dict.fromkeys((*self.stores.own, *held)))

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders of this machine that hold the stack's data, relative to the rendered files."""
        binds = (mount for mount in self._mounts if isinstance(mount, Bind))
        return tuple(bind.source for bind in binds if not bind.read_only and not bind.is_users)

    @property
    def _mounts(self) -> Iterator[Volume | Bind]:
        return (mount for service in self.services for mount in service.volumes)

    @property
    def secrets(self) -> tuple[SecretFile, ...]:
        """Every secret that a service or a build reads, sorted by name."""
        used = {
            secret.key: secret
            for service in self.defined
            for secret in (*service.secrets, *(service.build.secrets if service.build else ()))
        }
        return tuple(used[name] for name in sorted(used))

    @property
    def ports(self) -> tuple[tuple[Service, PublishedPort], ...]:
        """Every published port with its service."""
        return tuple((service, port) for service in self.services for port in service.ports)

    @property
    def seats(self) -> tuple[Service, ...]:
        """The servers of a class's seats."""
        return tuple(each for each in self.services if each.starts_last)

    @property
    def opened(self) -> tuple[PublishedPort, ...]:
        """The ports with a URL, those of dependencies last."""
        ports = (port for service in reversed(self.services) for port in service.ports)
        return tuple(port for port in ports if port.scheme)

    @property
    def urls(self) -> Mapping[str, str]:
        """URLs for this machine's user, by name: mlflow, s3, console."""
        return {
            port.name: f"{port.scheme}://{self._host(port)}:{port.published}{port.path}"
            for port in self.opened
        }

    def _host(self, port: PublishedPort) -> str:
        return (port.scheme == "https" and self.tls_host) or url_host(port.address)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The ports of the proxy."""
        return tuple(listener for service in self.services for listener in service.listeners)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The services behind the proxy."""
        return tuple(route for listener in self.listeners for route in listener.routes)

    @property
    def has_several(self) -> bool:
        """Whether the proxy distributes requests over several containers of a service."""
        return any(route.has_several for route in self.routes)

    @property
    def s3_url(self) -> str | None:
        """S3 endpoint for clients on this machine, None if boto3 derives it from the region."""
        return self.urls.get("s3") or self.site.s3_from_here or None

    @property
    def built(self) -> tuple[Service, ...]:
        """The services whose images are built here: one for each image."""
        built = {service.image: service for service in reversed(self.services) if service.build}
        return tuple(service for service in self.services if service in built.values())

    @property
    def has_one_key(self) -> bool:
        """Whether its S3 server has a single key, which may do everything."""
        return bool(self.s3_provider) and not self.key_is_limited

    @property
    def keys_are_fixed(self) -> bool:
        """Whether its S3 server has users, but reads their keys only when it starts."""
        return self.key_is_limited and not PROVIDERS[self.s3_provider].key_maker

    def service(self, name: str) -> Service:
        """Return the service or the tool called `name`."""
        return next(service for service in self.defined if service.name == name)

    def has(self, name: str) -> bool:
        """Tell whether there is a service called `name`."""
        return any(service.name == name for service in self.services)

    def mask(self, text: str) -> str:
        """Return `text` without any of the stack's secrets."""
        for secret in self.sensitive:
            text = text.replace(secret, MASK)
        return text
