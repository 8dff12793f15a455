"""A server's certificate, with its key and what clients verify it with, as texts."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

WILDCARD = "*."


@dataclass(frozen=True)
class Certificate:
    """A server's certificate.

    Attributes:
        chain: The certificate and intermediate ones, as PEM.
        key: Its private key, as PEM.
        names: The DNS names and addresses that it is valid for.
        ca: CA certificates with which clients verify it, as PEM; empty if they trust it already.
        is_own: Whether the stack's own CA signed it.
        authority: That CA's certificate and private key, as PEM.
    """

    chain: str
    key: str = field(repr=False)
    names: tuple[str, ...]
    ca: str = ""
    is_own: bool = False
    authority: str = field(default="", repr=False)


def covers(names: Iterable[str], host: str) -> bool:
    """Tell whether a certificate with these names is valid for a host, as URLs spell it."""
    wanted = host.strip("[]").lower()
    parent = wanted.partition(".")[2]
    own = {name.lower() for name in names}
    return wanted in own or (bool(parent) and f"{WILDCARD}{parent}" in own)


def expiry(chain: str) -> datetime:
    """Return when the first certificate of a chain expires."""
    return first(chain).not_valid_after_utc


def first(chain: str) -> "x509.Certificate":
    """Return the first certificate of a chain.

    Raises:
        ValueError: The text contains none.
    """
    from cryptography import x509

    return x509.load_pem_x509_certificates(chain.encode())[0]


def names_of(certificate: "x509.Certificate") -> tuple[str, ...]:
    """Return the DNS names and addresses that a certificate is valid for."""
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    found = extension.value
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def general_names(hosts: Iterable[str]) -> "list[x509.GeneralName]":
    """Return hosts, as URLs spell them, as names for a certificate; others are left out."""
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for host in dict.fromkeys(name.strip("[]").lower() for name in hosts):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            # A label has at most 63 characters; a name without that rule makes clients fail.
            if host.isascii() and all(0 < len(part) < 64 for part in host.split(".")):  # noqa: PLR2004
                found.append(x509.DNSName(host))
    return found
