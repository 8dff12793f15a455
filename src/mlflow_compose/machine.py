"""What this machine is called on its networks."""

import socket
from collections.abc import Iterable

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def lan_names(bind_address: str, hostname: str, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return how others call a server that listens on `bind_address`.

    Args:
        bind_address: One address, or the one that stands for all of them.
        hostname: This machine's name.
        addresses: This machine's addresses, without loopback.
    """
    chosen = sorted(addresses) if bind_address in ANY_ADDRESS else [bind_address]
    name = hostname.lower()
    names = [name, *([f"{name}.local"] if "." not in name else [])]
    return (*names, *(f"[{address}]" if ":" in address else address for address in chosen))


def own_addresses() -> tuple[str, ...]:
    """Return the IPv4 addresses of this machine's interfaces, without loopback."""
    import psutil

    return tuple(
        address.address
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    )
