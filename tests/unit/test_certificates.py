"""The stack's own CA, and what is wrong with a user's certificate."""

import shutil
import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.actions.certificates import check_expiry, expiry_notes
from mlflow_compose.errors import FilesError, SettingsError
from mlflow_compose.paths import StackPaths, stack_paths
from mlflow_compose.settings import load
from mlflow_compose.tls import (
    Certificate,
    covers,
    expiry,
    keep_own,
    own_certificate,
    problems_of_files,
    read_files,
)
from mlflow_compose.tls.certificate import first, general_names, names_of
from tests.e2e.certificates import DAY, Certificates, certificate, make_certificates
from tests.unit.samples import IDENTITY, env_text

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOSTS = ("localhost", "127.0.0.1", "[::1]", "classroom.local")


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    return stack_paths(tmp_path / ".env")


def kept(paths: StackPaths, now: datetime = NOW, hosts: tuple[str, ...] = HOSTS) -> Certificate:
    """Return the certificate that a start would use, and store it."""
    found = own_certificate(paths, IDENTITY, hosts, now)
    keep_own(found, paths)
    return found


# --- the stack's own CA


def test_nothing_must_be_stored_before_a_start(paths: StackPaths) -> None:
    own_certificate(paths, IDENTITY, HOSTS, NOW)
    assert not paths.state.exists()


def test_a_stored_certificate_must_be_used_as_long_as_it_fits(paths: StackPaths) -> None:
    before = kept(paths)
    assert set(before.names) == {"localhost", "127.0.0.1", "::1", "classroom.local"}
    # Fewer names, such as those of another network, need no other certificate.
    for hosts in (HOSTS, HOSTS[:2]):
        for days in (0, 1, 400):
            assert own_certificate(paths, IDENTITY, hosts, NOW + days * DAY) == before


@pytest.mark.parametrize(
    ("hosts", "days"), [((*HOSTS, "lab"), 0), (HOSTS, 421), (HOSTS, 2000), (HOSTS, -3)]
)
def test_new_names_and_old_age_must_renew_the_certificate_but_not_the_ca(
    paths: StackPaths, hosts: tuple[str, ...], days: int
) -> None:
    """A clock that was wrong at the first start counts, too."""
    before, now = kept(paths), NOW + days * DAY
    after = own_certificate(paths, IDENTITY, hosts, now)
    assert after.ca == before.ca
    assert after.chain != before.chain
    assert covers(after.names, hosts[-1])
    assert expiry(after.chain) - now == timedelta(days=820)


def test_a_ca_that_ends_before_its_certificates_must_be_replaced(paths: StackPaths) -> None:
    before = kept(paths)
    assert own_certificate(paths, IDENTITY, HOSTS, NOW + 2829 * DAY).ca == before.ca
    assert own_certificate(paths, IDENTITY, HOSTS, NOW + 2831 * DAY).ca != before.ca


def test_a_deleted_ca_must_be_replaced_with_the_certificate_that_it_signed(
    paths: StackPaths,
) -> None:
    """Also if a start is killed after it has stored the new CA: both CAs have the same name."""
    before = kept(paths)
    (paths.state / "ca.pem").unlink()
    after = kept(paths)
    assert (after.ca != before.ca, after.key != before.key) == (True, True)
    first(after.chain).verify_directly_issued_by(first(after.ca))


def test_a_copied_folder_must_get_a_ca_of_its_own(paths: StackPaths) -> None:
    before = kept(paths)
    after = own_certificate(paths, "fedcba9876543210", HOSTS, NOW)
    assert (after.ca != before.ca, after.key != before.key) == (True, True)


def test_private_keys_must_only_be_readable_for_their_owner(paths: StackPaths) -> None:
    found = kept(paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths.state.glob("*.pem")} == {0o600}
    assert "PRIVATE KEY" not in f"{found!r}{found.ca}{found.chain}"


@pytest.mark.parametrize("name", ["ca.pem", "tls.pem"])
@pytest.mark.parametrize("text", ["", "nonsense", "\x00\xff"])
def test_a_damaged_file_must_be_named(paths: StackPaths, name: str, text: str) -> None:
    kept(paths)
    whole = (paths.state / name).read_text(encoding="utf-8")
    damaged = text or whole[: len(whole) // 2]
    (paths.state / name).write_bytes(damaged.encode("latin-1"))
    with pytest.raises(FilesError, match=name) as caught:
        kept(paths)
    assert "delete it" in str(caught.value.hint)


@given(st.lists(st.text(max_size=80) | st.ip_addresses().map(str), max_size=6))
def test_odd_names_must_not_prevent_a_certificate(hosts: list[str]) -> None:
    """They may be in MLFLOW_ALLOWED_HOSTS, or the machine's name."""
    found = general_names(["localhost", *hosts])
    assert found[0] == x509.DNSName("localhost")
    assert all(name.value for name in found)


def test_a_client_must_accept_the_certificate_for_each_name_and_no_other(
    paths: StackPaths, tmp_path: Path
) -> None:
    found = kept(paths, datetime.now(UTC))
    with server(paths.state / "tls.pem") as address:
        context = ssl.create_default_context(cadata=found.ca)
        # The default since Python 3.13.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        for host in ("localhost", "127.0.0.1", "::1", "classroom.local"):
            shake_hands(address, context, host)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(address, context, "elsewhere.local")
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(address, ssl.create_default_context(), "localhost")
    del tmp_path


class server:  # noqa: N801 - used as a function
    """A TLS server with a certificate, for as long as the block runs."""

    def __init__(self, pem: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve)

    def __enter__(self) -> tuple[str, int]:
        self._thread.start()
        address: tuple[str, int] = self._socket.getsockname()
        return address

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
            except OSError:
                continue


def shake_hands(address: tuple[str, int], context: ssl.SSLContext, host: str) -> None:
    with (
        socket.create_connection(address, 10) as connection,
        context.wrap_socket(connection, server_hostname=host),
    ):
        pass


@pytest.mark.parametrize(
    ("host", "is_valid"),
    [
        ("lab.example", True),
        ("LAB.example", True),
        ("a.class.example", True),
        ("a.b.class.example", False),
        ("class.example", False),
        ("192.0.2.1", True),
        ("[2001:db8::1]", True),
        ("192.0.2.2", False),
        ("example", False),
    ],
)
def test_names_must_be_compared_as_clients_do(host: str, *, is_valid: bool) -> None:
    names = ("lab.example", "*.class.example", "192.0.2.1", "2001:db8::1")
    assert covers(names, host) == is_valid


# --- the user's own


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path, "lab.example")


def problems(cert: Path, key: Path, ca: Path | None = None) -> list[tuple[str, str]]:
    return list(problems_of_files(cert, key, ca))


def test_a_certificate_with_its_key_must_be_accepted(made: Certificates) -> None:
    assert problems(made.server, made.server, made.authority) == []
    found = read_files(made.server, made.server, made.authority)
    assert (found.names, found.is_own) == (("lab.example",), False)
    assert first(found.ca).subject != first(found.chain).subject
    assert read_files(made.server, made.server, None).ca == ""


def test_a_private_key_among_the_ca_certificates_must_not_be_handed_out(
    made: Certificates, tmp_path: Path
) -> None:
    """The file is copied to clients, and into programs for them."""
    both, authority = tmp_path / "both.pem", made.authority.read_text(encoding="utf-8")
    both.write_text(made.server.read_text(encoding="utf-8") + authority, encoding="utf-8")
    assert "PRIVATE KEY" in both.read_text(encoding="utf-8")
    found = read_files(made.server, made.server, both).ca
    assert "PRIVATE KEY" not in found
    assert found.endswith(authority)
    assert found.count("BEGIN CERTIFICATE") == 2


def broken(made: Certificates, folder: Path) -> Iterator[tuple[str, str, Path, Path]]:
    """Yield which file is wrong, a part of the rule, and certificate and key."""
    good, missing = made.server, folder / "missing.pem"
    (folder / "other").mkdir()
    other = make_certificates(folder / "other", "lab.example").server
    text = folder / "text.pem"
    text.write_text("hello\n", encoding="utf-8")
    binary = folder / "binary.der"
    binary.write_bytes(b"\x30\x82\xff\xfe")
    private = rsa.generate_private_key(65537, 2048)
    locked, plain = folder / "locked.pem", folder / "rsa.pem"
    secret = BestAvailableEncryption(b"words")
    locked.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    old = PrivateFormat.TraditionalOpenSSL
    plain.write_bytes(private.private_bytes(Encoding.PEM, old, NoEncryption()))
    yield "cert", "readable file", missing, good
    yield "key", "readable file", good, missing
    yield "cert", "readable file", folder, good
    yield "cert", "begins with a certificate", text, good
    yield "cert", "begins with a certificate", binary, good
    yield "cert", "begins with a certificate", plain, good
    yield "key", "with a private key", good, text
    yield "key", "with a private key", good, binary
    yield "key", "with a private key", good, made.authority
    yield "key", "passphrase", good, locked
    yield "key", "not the key of STACK_TLS_CERT", good, other
    yield "key", "not the key of STACK_TLS_CERT", good, plain
    yield "cert", "must have a name", *(unnamed(folder),) * 2


def unnamed(folder: Path) -> Path:
    """Return the file of a certificate without names, as old guides create it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    builder = certificate("lab.example", private)
    found = builder.issuer_name(x509.Name([])).sign(private, hashes.SHA256())
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "unnamed.pem"
    file.write_bytes(found.public_bytes(Encoding.PEM) + key)
    assert names_of(found) == ()
    return file


def test_each_wrong_file_must_be_named_with_the_reason(made: Certificates, tmp_path: Path) -> None:
    for name, rule, cert, key in broken(made, tmp_path):
        ((about, found),) = problems(cert, key)
        assert (about, rule in found) == (name, True), (found, cert, key)


def test_a_wrong_ca_must_be_named(made: Certificates, tmp_path: Path) -> None:
    ((about, _),) = problems(made.server, made.server, tmp_path / "missing.pem")
    assert about == "ca"


def test_wrong_files_must_be_errors_of_the_settings(made: Certificates, tmp_path: Path) -> None:
    """Paths start at the env file."""
    (tmp_path / "tls").mkdir()
    shutil.copy(made.server, tmp_path / "tls")
    lines = ("STACK_TLS=files", "STACK_TLS_CERT=tls/server.pem", "STACK_TLS_KEY=tls/server.pem")
    env_file = tmp_path / ".env"
    env_file.write_text(env_text(*lines), encoding="utf-8")
    load(env_file, {})
    with pytest.raises(SettingsError) as caught:
        load(env_file, {"STACK_TLS_KEY": "authority.pem", "STACK_TLS_CA": "missing.pem"})
    assert "STACK_TLS_KEY  must be a PEM file with a private key" in str(caught.value)
    assert "got authority.pem" in str(caught.value)
    assert "STACK_TLS_CA" in str(caught.value)


def test_an_expired_certificate_must_stop_the_start_and_nothing_else(paths: StackPaths) -> None:
    check_expiry(None)
    good = own_certificate(paths, IDENTITY, HOSTS, datetime.now(UTC))
    check_expiry(good)
    assert list(expiry_notes(good)) == []
    soon = own_certificate(paths, IDENTITY, HOSTS, datetime.now(UTC) - 810 * DAY)
    check_expiry(soon)
    assert len(list(expiry_notes(soon))) == 1
    old = own_certificate(paths, IDENTITY, HOSTS, datetime.now(UTC) - 900 * DAY)
    with pytest.raises(SettingsError, match="STACK_TLS_CERT expired on 20"):
        check_expiry(old)
