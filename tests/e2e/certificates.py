"""An untrusted certificate authority, created for one test run."""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
AUTHORITY = "e2e authority"


class Certificates(NamedTuple):
    """Files: the CA's certificate, and a server's certificate with its key."""

    authority: Path
    server: Path


def make_certificates(folder: Path, host: str, name: str = AUTHORITY) -> Certificates:
    """Create a CA and a certificate that it signed for a server.

    Args:
        folder: Folder for the files.
        host: Name or address of the server.
        name: Common name of the CA.
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        certificate(name, authority_key)
        .issuer_name(common_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        certificate(host, key)
        .issuer_name(authority.subject)
        .add_extension(x509.SubjectAlternativeName([general_name(host)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    files = Certificates(folder / "authority.pem", folder / "server.pem")
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.server.write_bytes(
        server.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """Return a builder for a certificate that is valid today."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(common_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def general_name(host: str) -> x509.GeneralName:
    """Return a host's name or address as a subject alternative name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def common_name(name: str) -> x509.Name:
    """Return an X.509 name with this common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
