"""This machine: names and addresses, processes, users."""

import errno
import os
import socket
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound

# Of a Unix socket's path: 104 on macOS, 108 on Linux. A server binds a longer one first, then
# renames it.
LONGEST_SOCKET = 90

# Who runs PostgreSQL if root starts the stack.
DATABASE_USER = "mlflow-compose"
# Seconds by which the start of a process may seem later than what it did.
CLOCK_STEP = 2
# A disk that is full, or mounted to be read only.
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

INWARD_INTERFACES = ("docker", "br-", "veth", "virbr", "vboxnet", "vmnet", "cni", "podman", "lxc")


def lan_names(bind_address: str, hostname: str, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the names that others use for a server that listens on `bind_address`.

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
    """Return the IPv4 addresses by which others on a network reach this machine."""
    import psutil

    return tuple(
        address.address
        for interface, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET and is_outward(interface, address.address)
    )


def is_outward(interface: str, address: str) -> bool:
    """Tell whether an interface leads to other machines.

    Bridges of containers and virtual machines do not, and come and go: with them, starting one
    stack would change the files of another.
    """
    return not address.startswith("127.") and not interface.startswith(INWARD_INTERFACES)


def is_alive(pid: int) -> bool:
    """Tell whether a process with this id exists."""
    import psutil

    return psutil.pid_exists(pid)


def has_run_since(pid: int, moment: float) -> bool:
    """Tell whether a process runs that already existed at a moment, in seconds since 1970.

    Process numbers are used again: one that was started later is another process.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        started = process.create_time() <= moment + CLOCK_STEP
        return started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_root() -> bool:
    """Tell whether this user is root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def database_user() -> str:
    """Return the user that runs PostgreSQL for root, which it refuses; empty for other users."""
    return DATABASE_USER if is_root() else ""


def is_unwritable(error: OSError) -> bool:
    """Tell whether an error means that nothing can be written to a disk."""
    return error.errno in UNWRITABLE


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the cache folder of this user.

    That of root is open to the users that root starts servers as.
    """
    if is_root():
        return Path("/var/cache/mlflow-compose")
    if chosen := environ.get("XDG_CACHE_HOME"):
        return Path(chosen).absolute() / "mlflow-compose"
    home = Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "mlflow-compose"


def socket_path(folder: Path, name: str, identity: str) -> str:
    """Return a path for a Unix socket: in a folder, or elsewhere if that path is too long.

    Args:
        folder: Preferred folder.
        name: Its path from there.
        identity: Id of the stack whose socket it is.
    """
    if len(os.fsencode(folder / name)) <= LONGEST_SOCKET:
        return name
    # Not below TMPDIR, which another terminal may have set to something else.
    return f"/tmp/mlflow-compose-{os.getuid()}/{identity}.sock"  # noqa: S108 - closed to others


def python_tag() -> str:
    """Return a tag of this Python, for folders that only work with it."""
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
