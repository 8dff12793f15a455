"""This machine: names and addresses, processes, users."""

import errno
import os
import socket
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound

# Limit for the path of a Unix socket: 104 bytes on macOS, 108 on Linux, less the suffix of the
# temporary name that a server binds first and then renames.
LONGEST_SOCKET = 90

# User that runs PostgreSQL if root starts the stack.
DATABASE_USER = "mlflow-compose"
# Seconds by which a clock change may make a process appear to start after its own actions.
CLOCK_STEP = 2
# Errors of a disk that is full or mounted read-only.
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

# Prefixes of the interfaces of containers and virtual machines.
VIRTUAL_INTERFACES = ("docker", "br-", "veth", "virbr", "vboxnet", "vmnet", "cni", "podman", "lxc")


def lan_names(bind_address: str, hostname: str, addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the names by which other machines reach a server that listens on `bind_address`.

    Args:
        bind_address: IP address, or the wildcard address.
        hostname: Name of this machine.
        addresses: Addresses of this machine, without loopback.
    """
    chosen = sorted(addresses) if bind_address in ANY_ADDRESS else [bind_address]
    name = hostname.lower()
    names = [name, *([f"{name}.local"] if "." not in name else [])]
    return (*names, *(f"[{address}]" if ":" in address else address for address in chosen))


def own_addresses() -> tuple[str, ...]:
    """Return the IPv4 addresses by which other machines reach this one."""
    import psutil

    return tuple(
        address.address
        for interface, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET and is_outward(interface, address.address)
    )


def is_outward(interface: str, address: str) -> bool:
    """Tell whether an interface leads to other machines.

    Bridges of containers and virtual machines do not, and are created and removed all the time:
    counting them, the start of one stack would change the files of another.
    """
    return not address.startswith("127.") and not interface.startswith(VIRTUAL_INTERFACES)


def is_alive(pid: int) -> bool:
    """Tell whether a process with this id exists."""
    import psutil

    return psutil.pid_exists(pid)


def has_run_since(pid: int, moment: float) -> bool:
    """Tell whether a process is running that already existed at a time, in seconds since 1970.

    Process ids are reused: one that started later is another process.
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
    """Return the user that runs PostgreSQL instead of root; empty if this user is not root."""
    return DATABASE_USER if is_root() else ""


def is_unwritable(error: OSError) -> bool:
    """Tell whether an error means that a disk cannot be written to."""
    return error.errno in UNWRITABLE


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the cache folder of this user.

    Root's is readable by the users that root starts servers as.
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
        name: Path relative to that folder.
        identity: Id of the stack.
    """
    if len(os.fsencode(folder / name)) <= LONGEST_SOCKET:
        return name
    # Not below TMPDIR, which may differ in another terminal.
    return f"/tmp/mlflow-compose-{os.getuid()}/{identity}.sock"  # noqa: S108 - in a private folder


def python_tag() -> str:
    """Return a tag of this Python, for folders that only work with it."""
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
