"""How the proxy runs: Caddy, which encrypts connections of clients to other services.

If there are several tracking servers, it distributes requests over them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mlflow_compose.stack import certificates
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.components import mlflow
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import Listener, PublishedPort, Route
from mlflow_compose.stack.service import NEVER, STARTED, Bind, Service, unprivileged
from mlflow_compose.stack.site import LOOPBACK, url_host
from mlflow_compose.stack.stores import Stores

NAME = "proxy"
CONFIGURATION = "Caddyfile"
# For clients on this machine, next to the configuration.
CA_FILE = "ca.crt"
# Port in the container for the first service behind it; the others follow.
FIRST_PORT, FIRST_PORT_WITHOUT_TLS = 8443, 8080
# Name and label of a port that several services share: the seats of a class.
SHARED, SHARED_LABEL = "seats", "Seats"
ENCRYPTS = "encrypts the connections of clients (TLS)"
DISTRIBUTES = "distributes requests over the tracking servers"
# A connection, with TLS a handshake. What is behind the proxy has health checks of its own.
PROBE = "import socket; socket.create_connection(({host!r}, {port}), 4).close()"
TLS_PROBE = (
    "import socket, ssl; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); "
    "c.check_hostname = False; c.verify_mode = ssl.CERT_NONE; "
    "c.wrap_socket(socket.create_connection(({host!r}, {port}), 4)).close()"
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the proxy, which may write nowhere."""
    configuration = f"/etc/caddy/{CONFIGURATION}"
    server = replace(
        _server(around, name),
        command=("caddy", "run", "--adapter", "caddyfile", "--config", configuration),
        volumes=(Bind(f"./{name}/{CONFIGURATION}", configuration, read_only=True),),
        pull_policy=NEVER,
        # Otherwise, its port would be open long before MLflow can answer.
        depends_on=around.present({mlflow.NAME: STARTED}),
    )
    return unprivileged(server)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container."""
    server = _server(around, name)
    configuration = f"{name}/{CONFIGURATION}"
    return replace(
        server,
        command=("caddy", "run", "--adapter", "caddyfile", "--config", configuration),
    )


def _server(around: Surroundings, name: str) -> Service:
    image, certificate, uses_tls = around.images[name], around.certificate, around.settings.uses_tls
    listeners = tuple(_listeners(around))
    first = listeners[0]
    # The container listens on all of its addresses.
    host = LOOPBACK if around.site.in_containers else first.port.address
    probe = (TLS_PROBE if uses_tls else PROBE).format(
        host=url_host(host).strip("[]"), port=first.port.target
    )
    return Service(
        name=name,
        about=f"Caddy: {' and '.join(_purposes(around))}.",
        image=image.name,
        build=image.build,
        restart="always",
        environment={
            # Caddy keeps nothing; without a home folder it would choose the current one.
            "HOME": "/nonexistent",
        },
        secrets=certificates.tls_files(certificate) if uses_tls else (),
        ports=tuple(listener.port for listener in listeners),
        listeners=listeners,
        healthcheck=Healthcheck(("python", "-S", "-c", probe)),
        folder=name,
        unused=frozenset() if certificate.ca else frozenset({f"{CA_FILE}.j2"}),
    )


def _listeners(around: Surroundings) -> Iterator[Listener]:
    """Yield the ports of the proxy, each with the services that share it."""
    inside = around.site.in_containers
    published = dict.fromkeys(port.published for _, port in around.behind_proxy)
    for number, shared in enumerate(published):
        behind = [
            (service, port) for service, port in around.behind_proxy if port.published == shared
        ]
        first = FIRST_PORT if around.settings.uses_tls else FIRST_PORT_WITHOUT_TLS
        yield _listener(around, behind, first + number if inside else shared)


def _listener(
    around: Surroundings, behind: Sequence[tuple[Service, PublishedPort]], listen: int
) -> Listener:
    """Return a port of the proxy.

    Args:
        around: Facts about the stack.
        behind: Services behind it, each with its port as it would be published without the proxy.
        listen: Port that the proxy listens on.
    """
    inside, uses_tls = around.site.in_containers, around.settings.uses_tls
    routes = tuple(
        Route(
            service=service.name,
            port=replace(
                port,
                target=listen,
                scheme="https" if uses_tls else port.scheme,
                is_proxied=False,
            ),
            host=service.name if inside else LOOPBACK,
            inner=port.target,
            has_several=service.replicas > 1,
        )
        for service, port in behind
    )
    port = routes[0].port
    address = around.site.listen if inside else port.address
    return Listener(
        port=replace(port, name=SHARED, label=SHARED_LABEL, path="") if port.path else port,
        # Otherwise, Caddy would listen on all IPv6 addresses, too.
        bind=f"[{address}]" if ":" in address else f"tcp4/{address}",
        certificate=around.site.secret(certificates.TLS_CERTIFICATE) if uses_tls else "",
        key=around.site.secret(certificates.TLS_KEY) if uses_tls else "",
        routes=routes,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.has_proxy else ()


def _purposes(around: Surroundings) -> Iterator[str]:
    if any(service.replicas > 1 for service, _ in around.behind_proxy):
        yield DISTRIBUTES
    if around.settings.uses_tls:
        yield ENCRYPTS


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
