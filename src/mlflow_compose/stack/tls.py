"""Which names clients use for a stack behind TLS."""

from collections.abc import Iterable, Iterator, Sequence

from mlflow_compose.settings import Settings
from mlflow_compose.stack.site import url_host
from mlflow_compose.tls import Certificate, covers

LOCALHOST = ("localhost", "127.0.0.1", "[::1]")


def wanted_names(settings: Settings, lan_names: Sequence[str]) -> tuple[str, ...]:
    """Return the names and addresses that a certificate of the stack's own CA must have."""
    own = url_host(settings.stack_bind_address)
    return tuple(dict.fromkeys((*LOCALHOST, own, *lan_names, *_allowed_names(settings))))


def host_here(certificate: Certificate, settings: Settings, lan_names: Sequence[str]) -> str:
    """Return the name of the server for clients on this machine."""
    own = url_host(settings.stack_bind_address)
    loopback = LOCALHOST if own in LOCALHOST else ()
    return _first_valid(certificate, (own, *loopback, *lan_names, *_allowed_names(settings)), own)


def host_on_lan(
    certificate: Certificate, settings: Settings, lan_names: Sequence[str], address: str
) -> str:
    """Return the name of the server for clients on other machines.

    Args:
        certificate: Certificate of the server.
        settings: Settings of the stack.
        lan_names: Names and addresses of this machine on the network.
        address: Address that they use without TLS.
    """
    own = url_host(address)
    return _first_valid(certificate, (own, *lan_names, *_allowed_names(settings)), own)


def own_names(certificate: Certificate) -> tuple[str, ...]:
    """Return the names of a certificate without wildcards, as URLs spell them."""
    return tuple(url_host(name) for name in certificate.names if "*" not in name)


def _first_valid(certificate: Certificate, hosts: Iterable[str], otherwise: str) -> str:
    """Return the first host that a certificate is valid for, or else a name that it has."""
    valid = [host for host in hosts if covers(certificate.names, host)]
    return (*valid, *own_names(certificate), otherwise)[0]


def _allowed_names(settings: Settings) -> Iterator[str]:
    """Yield MLFLOW_ALLOWED_HOSTS without ports and patterns."""
    for part in settings.mlflow_allowed_hosts.split(","):
        host, colon, port = part.strip().rpartition(":")
        name = host if colon and port.isdigit() else part.strip()
        if name and not set(name) & set("*?[]:/ "):
            yield name
