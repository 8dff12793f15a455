"""A foreign server that answers on a stack's port and records the requests it receives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

HEADER = "mlflow-compose-stack"


@dataclass
class Stranger:
    """The requests that a foreign server received.

    Attributes:
        port: Port on which it answers.
        requests: Method, path and lower-case header names of each request.
    """

    port: int
    requests: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)


@contextmanager
def stranger(stack: str = "") -> Iterator[Stranger]:
    """Run a server that reports itself healthy and requires a login for everything else.

    Args:
        stack: Stack that it claims to be, as `ID/NAME`; none if empty.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers and records every request."""

        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Answer any method."""
            names = frozenset(name.lower() for name in self.headers)
            found.requests.append((self.command, self.path, names))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            well = self.path in {"/health", "/version"}
            body = b"OK" if well else b"no"
            self.send_response(200 if well else 401)
            if not well:
                self.send_header("WWW-Authenticate", 'Basic realm="mlflow"')
            if stack:
                self.send_header(HEADER, stack)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is there
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Stranger(server.server_port)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
