"""How the proxy runs: Caddy, which encrypts the connections of clients to other services."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlflow_compose.stack import certificates
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.components import mlflow
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import PublishedPort, Route
from mlflow_compose.stack.service import NEVER, STARTED, Bind, Service, unprivileged
from mlflow_compose.stack.site import LOOPBACK, url_host
from mlflow_compose.stack.stores import Stores

NAME = "proxy"
CONFIGURATION = "Caddyfile"
# For clients on this machine, next to the configuration.
CA_FILE = "ca.crt"
# Port in the container for the first service behind it; the others follow.
FIRST_PORT = 8443
# A handshake. What is behind the proxy has health checks of its own.
PROBE = (
    "import socket, ssl; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); "
    "c.check_hostname = False; c.verify_mode = ssl.CERT_NONE; "
    "c.wrap_socket(socket.create_connection(({host!r}, {port}), 4)).close()"
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the proxy, which may write nowhere."""
    routes = tuple(
        _route(around, service, port, FIRST_PORT + number, service.name)
        for number, (service, port) in enumerate(around.behind_proxy)
    )
    configuration = f"/etc/caddy/{CONFIGURATION}"
    server = replace(
        _server(around, name, routes),
        command=("caddy", "run", "--adapter", "caddyfile", "--config", configuration),
        volumes=(Bind(f"./{name}/{CONFIGURATION}", configuration, read_only=True),),
        pull_policy=NEVER,
        # Otherwise, its port would be open long before MLflow can answer.
        depends_on=around.present({mlflow.NAME: STARTED}),
    )
    return unprivileged(server)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container."""
    routes = tuple(
        _route(around, service, port, port.published, LOOPBACK)
        for service, port in around.behind_proxy
    )
    server = _server(around, name, routes)
    configuration = f"{name}/{CONFIGURATION}"
    return replace(
        server,
        command=("caddy", "run", "--adapter", "caddyfile", "--config", configuration),
    )


def _server(around: Surroundings, name: str, routes: Sequence[Route]) -> Service:
    image, certificate = around.images[name], around.certificate
    first = routes[0]
    # The container listens on all of its addresses.
    host = LOOPBACK if around.site.in_containers else first.port.address
    probe = PROBE.format(host=url_host(host).strip("[]"), port=first.port.target)
    return Service(
        name=name,
        about="Caddy: encrypts the connections of clients (TLS).",
        image=image.name,
        build=image.build,
        restart="always",
        environment={
            # Caddy keeps nothing; without a home folder it would choose the current one.
            "HOME": "/nonexistent",
        },
        secrets=certificates.tls_files(certificate),
        ports=tuple(route.port for route in routes),
        routes=tuple(routes),
        healthcheck=Healthcheck(("python", "-S", "-c", probe)),
        folder=name,
        unused=frozenset() if certificate.ca else frozenset({f"{CA_FILE}.j2"}),
    )


def _route(
    around: Surroundings, service: Service, port: PublishedPort, listen: int, host: str
) -> Route:
    """Return the route of a service's port.

    Args:
        around: Facts about the stack.
        service: Service behind the proxy.
        port: Its port, as it would be published without the proxy.
        listen: Port on which the proxy listens for it.
        host: Host name or address of the service for the proxy.
    """
    published = replace(port, target=listen, scheme="https", is_proxied=False)
    address = around.site.listen if around.site.in_containers else port.address
    return Route(
        service=service.name,
        port=published,
        # Otherwise, Caddy would listen on all IPv6 addresses, too.
        bind=f"[{address}]" if ":" in address else f"tcp4/{address}",
        upstream=f"{host}:{port.target}",
        certificate=around.site.secret(certificates.TLS_CERTIFICATE),
        key=around.site.secret(certificates.TLS_KEY),
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.settings.uses_tls else ()


CAUSES: Mapping[str, Cause] = {
    "proxy_down": Cause(
        "the proxy does not answer on this machine", "mlflow-compose logs proxy shows why", NAME
    ),
    "certificate_refused": Cause(
        "clients on this machine do not accept the proxy's certificate",
        "with STACK_TLS=internal, mlflow-compose up renews it; with STACK_TLS=files, check "
        "STACK_TLS_CERT and STACK_TLS_CA in .env",
    ),
}


def causes(_: Stores) -> Mapping[str, Cause]:
    """Return the causes of failures of the proxy."""
    return CAUSES


PROXY = Kind(_names, in_container, on_machine, is_leaf=True, causes=causes)
