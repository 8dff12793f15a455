"""A package index for tests: with or without TLS, behind a login, forwarding to the real one."""

import base64
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from .docker_stack import docker
from .tool import run

# DNS does not resolve it: builds get its address by `extra_hosts`.
HOST = "package-index.e2e.test"


class Request(NamedTuple):
    """A request: client program, path, and login (empty if none)."""

    program: str
    path: str
    login: str


class QuietServer(ThreadingHTTPServer):
    """Does not print that a client hung up, as clients do that do not trust its certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing."""


class PackageIndex:
    """An index that redirects clients with the right login to the real one and records requests."""

    def __init__(self, login: str, certificate: Path | None = None) -> None:
        self.login = login
        self.requests: list[Request] = []
        self._scheme = "https" if certificate else "http"
        self._real = real_index()
        # Every interface: the address at which the builder reaches this machine depends on the
        # engine.
        self._server = QuietServer(("", 0), self._handler())
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    def url(self, login: str | None = None) -> str:
        """Return the index's URL with a login, by default the right one."""
        port = self._server.server_port
        return f"{self._scheme}://{login or self.login}@{HOST}:{port}/simple"

    @property
    def logins(self) -> set[str]:
        """All logins that were used; an empty one stands for none."""
        return {request.login for request in self.requests}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = self.headers.get("Authorization", "").removeprefix("Basic ")
                login = base64.b64decode(sent).decode()
                program = self.headers.get("User-Agent", "").partition("/")[0]
                index.requests.append(Request(program, self.path, login))
                if login != index.login:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="packages"')
                else:
                    self.send_response(302)
                    self.send_header("Location", index._real + self.path.removeprefix("/simple"))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Print nothing."""

        return Handler


def real_index() -> str:
    """Return the package index that this machine installs from."""
    for name in (":env:.index-url", "install.index-url", "global.index-url"):
        found = run(sys.executable, "-m", "pip", "config", "get", name, code=None)
        if found.code == 0:
            return found.out.strip().rstrip("/")
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url).rstrip("/")


@cache
def address_for_builds(image: str) -> str:
    """Return this machine's address as seen by builds: the container's default gateway."""
    routes = docker("run", "--rm", "--entrypoint=cat", image, "/proc/net/route").out.splitlines()
    (gateway,) = (row[2] for row in map(str.split, routes) if row[1] == "00000000")
    # In native byte order.
    return ".".join(map(str, int(gateway, 16).to_bytes(4, sys.byteorder)))
