"""Ports that services publish, themselves or behind the proxy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedPort:
    """A port of a service that is published on this machine.

    Attributes:
        name: Name among the URLs: mlflow, s3, console, postgres, jupyter or pgadmin.
        variable: Setting that determines the port.
        address: Address of this machine that the port binds to.
        published: Port on this machine.
        target: Port in the container.
        label: Name for users.
        scheme: URL scheme, empty for a protocol that no browser speaks.
        is_proxied: Whether the proxy publishes it instead, if the stack has one.
        path: Path below which clients find the service, if several share a port of the proxy.
    """

    name: str
    variable: str
    address: str
    published: int
    target: int
    label: str
    scheme: str = ""
    is_proxied: bool = False
    path: str = ""

    @property
    def text(self) -> str:
        """The port in Compose's short syntax."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.published}:{self.target}"


@dataclass(frozen=True)
class Route:
    """A service behind the proxy.

    Attributes:
        service: Name of the service.
        port: Its port as clients see it; the target is the port that the proxy listens on.
        host: Host of the service for the proxy.
        inner: Port of the service for the proxy.
        has_several: Whether several containers have this host name.
    """

    service: str
    port: PublishedPort
    host: str
    inner: int
    has_several: bool = False

    @property
    def upstream(self) -> str:
        """Host and port of the service for the proxy."""
        return f"{self.host}:{self.inner}"


@dataclass(frozen=True)
class Listener:
    """A port of the proxy, and the services behind it: one, or one for each path.

    Attributes:
        port: Published port; its target is the port that the proxy listens on.
        bind: Address that the proxy listens on, in Caddy's syntax.
        certificate: Path of the certificate, as the proxy sees it; empty without TLS.
        key: Path of its private key.
        routes: The services.
    """

    port: PublishedPort
    bind: str
    certificate: str
    key: str
    routes: tuple[Route, ...]

    @property
    def is_shared(self) -> bool:
        """Whether its services are told apart by paths."""
        return any(route.port.path for route in self.routes)
