"""A package index of our own: over TLS or not, behind a login, and with everybody's packages."""

import base64
import datetime
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pip._internal.models.index import PyPI

from .docker_stack import docker
from .tool import run

# No name server knows it: builds are told its address.
HOST = "index.test"
DAY = datetime.timedelta(days=1)


class Asked(NamedTuple):
    """A request: of which program, for what, and with which login, if any."""

    program: str
    path: str
    login: str


class PackageIndex:
    """An index that sends who logs in on to the real one, and remembers who asked for what."""

    def __init__(self, login: str, certificate: Path | None) -> None:
        self.login = login
        self.asked: list[Asked] = []
        self._scheme = "https" if certificate else "http"
        self._real = real_index()
        # The builder reaches this machine at an address that depends on the engine.
        self._server = ThreadingHTTPServer(("", 0), self._handler())
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    def url(self, login: str | None = None) -> str:
        """Return the index's address with a login, the right one where none is given."""
        port = self._server.server_port
        return f"{self._scheme}://{login or self.login}@{HOST}:{port}/simple"

    @property
    def logins(self) -> set[str]:
        """Every login that was used, an empty one for none."""
        return {asked.login for asked in self.asked}

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
                index.asked.append(Asked(program, self.path, login))
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
    """Return the index that this machine installs from."""
    for name in (":env:.index-url", "install.index-url", "global.index-url"):
        asked = run(sys.executable, "-m", "pip", "config", "get", name, code=None)
        if asked.code == 0:
            return asked.out.strip().rstrip("/")
    return str(PyPI.simple_url).rstrip("/")


def address_for_builds() -> str:
    """Return this machine's address as builds reach it: on the engine's default network."""
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    return docker("network", "inspect", "bridge", "--format", gateway).out.strip()


class Certificates(NamedTuple):
    """An authority that nobody knows, and the index's certificate with its key."""

    authority: Path
    server: Path


def make_certificates(folder: Path) -> Certificates:
    """Write a certificate authority, and what it signed for the index."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        certificate("e2e authority", authority_key)
        .issuer_name(common_name("e2e authority"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        certificate(HOST, key)
        .issuer_name(authority.subject)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.server.write_bytes(
        server.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """Begin a certificate that is valid today."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(common_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def common_name(name: str) -> x509.Name:
    """Return a name as certificates spell it."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
