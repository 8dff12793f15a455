"""The stack's own CA, and the certificates that it signs.

Caddy has a CA, too, but issues one certificate for each name. A client that connects to an address
does not send it, and behind Docker's network the server does not see it either, so the server could
not choose; one certificate for all names and addresses needs no choice.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.errors import FilesError
from mlflow_compose.paths import StackPaths, write_state
from mlflow_compose.tls.certificate import Certificate, first, general_names, names_of

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

# Files in the state folder: a certificate and its private key each, so that both are replaced
# together.
AUTHORITY_FILE, SERVER_FILE = "ca.pem", "tls.pem"
# Browsers and Apple's systems refuse server certificates that are valid for more than 825 days.
AUTHORITY_LIFETIME, LIFETIME = timedelta(days=3650), timedelta(days=820)
# A certificate with less time left is replaced at the next start, long before it expires.
RENEWED = timedelta(days=400)
# Clients' clocks may be slow.
SKEW = timedelta(days=1)
HINT = "delete it, then mlflow-compose up creates a new one, which clients have to trust again"


def own_certificate(
    paths: StackPaths, stack_id: str, hosts: Collection[str], now: datetime
) -> Certificate:
    """Return a certificate of the stack's own CA for all hosts; nothing is written.

    The stored one is returned if it still fits, so that files only change if they have to.

    Args:
        paths: Paths of the stack.
        stack_id: Id of the stack; a copied folder has another one, and gets a CA of its own.
        hosts: Names and addresses of the server, as URLs spell them.
        now: Current time.

    Raises:
        FilesError: A stored file is unreadable or damaged.
    """
    authority = _read(paths.state / AUTHORITY_FILE)
    if not authority or not _is_of(first(authority), stack_id, now):
        authority = _new_authority(stack_id, now)
    stored = _read(paths.state / SERVER_FILE)
    if not stored or not _fits(stored, authority, hosts, now):
        stored = _new_server(authority, hosts, now)
    chain, key = _parts(stored)
    ca, _ = _parts(authority)
    return Certificate(chain, key, names_of(first(chain)), ca, is_own=True, authority=authority)


def keep_own(certificate: Certificate, paths: StackPaths) -> None:
    """Store a certificate of the stack's own CA, and the CA.

    Raises:
        FilesError: A file cannot be written.
    """
    files = {
        AUTHORITY_FILE: certificate.authority,
        SERVER_FILE: certificate.chain + certificate.key,
    }
    for name, text in files.items():
        if _read(paths.state / name) != text:
            write_state(paths, name, text)


def _read(path: Path) -> str:
    """Return the text of a stored certificate and its key, empty if there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as error:
        raise FilesError(f"{path} cannot be read: {error}", hint=HINT) from None
    try:
        fits = first(text).public_key() == _key(text).public_key()
    except (ValueError, IndexError, TypeError):
        fits = False
    if not fits:
        raise FilesError(f"{path} is not a certificate with its private key", hint=HINT)
    return text


def _parts(text: str) -> tuple[str, str]:
    """Return the certificate and the private key of a stored file."""
    mark = "-----BEGIN PRIVATE KEY-----"
    certificate, _, key = text.partition(mark)
    return certificate, mark + key


def _is_of(authority: "x509.Certificate", stack_id: str, now: datetime) -> bool:
    return authority.subject == _name(stack_id) and authority.not_valid_after_utc > now + LIFETIME


def _fits(stored: str, authority: str, hosts: Collection[str], now: datetime) -> bool:
    """Tell whether a stored certificate is valid for all hosts, and for long enough."""
    certificate, issuer = first(stored), first(authority)
    wanted = {str(name.value) for name in general_names(hosts)}
    return (
        _is_signed(certificate, issuer)
        and wanted <= {*names_of(certificate)}
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc > now + RENEWED
    )


def _is_signed(certificate: "x509.Certificate", issuer: "x509.Certificate") -> bool:
    """Tell whether a CA signed a certificate; one that was deleted had the same name."""
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _key(text: str) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = load_pem_private_key(_parts(text)[1].encode(), None)
    if not isinstance(found, EllipticCurvePrivateKey):
        raise TypeError("not a key of this module")
    return found


def _name(stack_id: str) -> "x509.Name":
    from cryptography import x509

    text = f"MLflow stack {stack_id}"
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _new_authority(stack_id: str, now: datetime) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    key, name = _new_key(), _name(stack_id)
    builder = _builder(name, name, key, now, AUTHORITY_LIFETIME)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    found = builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)
    return _text(found.sign(key, hashes.SHA256()), key)


def _new_server(authority: str, hosts: Collection[str], now: datetime) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer, issuer_key, key = first(authority), _key(authority), _new_key()
    # The names are in the extension; this is only shown.
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "MLflow")])
    names = x509.SubjectAlternativeName(general_names(hosts))
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    found = (
        _builder(subject, issuer.subject, key, now, LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(issued_by, critical=False)
        .add_extension(names, critical=False)
    )
    return _text(found.sign(issuer_key, hashes.SHA256()), key)


def _new_key() -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _builder(
    subject: "x509.Name",
    issuer: "x509.Name",
    key: "EllipticCurvePrivateKey",
    now: datetime,
    lifetime: timedelta,
) -> "x509.CertificateBuilder":
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(**chosen: bool) -> "x509.KeyUsage":
    from cryptography import x509

    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: chosen.get(name, False) for name in names})


def _text(certificate: "x509.Certificate", key: "EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (certificate.public_bytes(Encoding.PEM) + private).decode()
