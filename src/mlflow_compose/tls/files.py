"""The user's own certificate: read it, and say what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.errors import FilesError
from mlflow_compose.tls.certificate import Certificate, first, names_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# What a rule is about: the certificate, its key, the CA certificates.
CERT, KEY, CA = "cert", "key", "ca"


def problems_of_files(cert: Path, key: Path, ca: Path | None) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a certificate and its key: which file, and the rule that it breaks.

    Args:
        cert: Certificate, followed by intermediate ones.
        key: Its private key.
        ca: CA certificates, if clients need them.
    """
    rules = {CERT: _rule_of_certificates(cert), KEY: _rule_of_key(key)}
    if ca:
        rules[CA] = _rule_of_certificates(ca)
    yield from ((name, rule) for name, rule in rules.items() if rule)
    if any(rules.values()):
        return
    certificate = first(_text(cert))
    if certificate.public_key() != _private_key(key).public_key():
        yield KEY, "is not the key of STACK_TLS_CERT"
    if not names_of(certificate):
        yield CERT, "must have a name or an address (subject alternative name)"


def read_files(cert: Path, key: Path, ca: Path | None) -> Certificate:
    """Return the user's certificate.

    Raises:
        FilesError: A file was changed after its check.
    """
    try:
        chain = _text(cert)
        names = names_of(first(chain))
        return Certificate(chain, _text(key), names, _only_certificates(ca) if ca else "")
    except (OSError, ValueError) as error:
        raise FilesError(f"{cert} cannot be used: {error}", hint="run the command again") from None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _only_certificates(path: Path) -> str:
    """Return the certificates in a file: it is handed out, and may also have a private key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_certificates(_text(path).encode())
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def _rule_of_certificates(path: Path) -> str:
    try:
        first(_text(path))
    except OSError as error:
        return f"must be a readable file ({error.strerror})"
    except (ValueError, IndexError):
        return "must be a PEM file that begins with a certificate"
    return ""


def _rule_of_key(path: Path) -> str:
    try:
        _private_key(path)
    except OSError as error:
        return f"must be a readable file ({error.strerror})"
    except TypeError:
        # What cryptography raises without a password for an encrypted key.
        return "must be a key without a passphrase (openssl pkey -in KEY -out NEW_KEY removes it)"
    except Exception:  # noqa: BLE001 - UnsupportedAlgorithm and others, by the kind of key
        return "must be a PEM file with a private key"
    return ""


def _private_key(path: Path) -> "PrivateKeyTypes":
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(_text(path).encode(), None)
