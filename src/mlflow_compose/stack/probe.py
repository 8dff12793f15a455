"""A health check of servers that speak HTTP, in Python: its images have no curl."""

from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.site import url_host

# Seconds that a check waits, and how often it tries to connect.
WAITS, PER_SECOND = 4, 10
# -S skips `site`: 20 ms instead of 80. The probe waits for a starting server, so that a long
# interval does not delay the result.
PROBE = (
    'import socket, time; server = ("{host}", {port}); '
    "any(socket.socket({family}).connect_ex(server) == 0 or time.sleep(0.1) "
    "for _ in range({tries})); "
    "s = socket.create_connection(server, 4); "
    r's.sendall(b"GET {path} HTTP/1.0\r\n\r\n"); raise SystemExit(b" 200 " not in s.recv(64))'
)


def http_healthcheck(address: str, port: int, path: str, *, waits: int = WAITS) -> Healthcheck:
    """Return a health check that expects a page of a server, on the address it listens on.

    Args:
        address: Address that the server listens on.
        port: Its port.
        path: Path of the page.
        waits: Seconds that one check waits for a server that does not listen yet.
    """
    host = url_host(address)
    family = "socket.AF_INET6" if ":" in host else ""
    probe = PROBE.format(
        host=host.strip("[]"), port=port, family=family, path=path, tries=waits * PER_SECOND
    )
    return Healthcheck(("python", "-S", "-c", probe), timeout=waits + 6, waits=waits)
