"""This machine: names and addresses, processes, users."""

import contextlib
import errno
import os
import shutil
import socket
import stat
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

# Address in the network that is reserved for documentation (RFC 5737).
ELSEWHERE = ("192.0.2.1", 9)

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


def main_address() -> str:
    """Return the address by which most other machines reach this one, or its name without any.

    It is that of the default route, if this machine has several.
    """
    addresses = own_addresses()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        # Connecting a UDP socket chooses a route and sends nothing.
        probe.connect(ELSEWHERE)
        if (routed := str(probe.getsockname()[0])) in addresses:
            return routed
    return min(addresses, default=socket.gethostname())


def is_outward(interface: str, address: str) -> bool:
    """Tell whether an interface leads to other machines.

    Bridges of containers and virtual machines do not, and are created and removed all the time:
    counting them, the start of one stack would change the files of another.
    """
    return not address.startswith("127.") and not interface.startswith(VIRTUAL_INTERFACES)


def memory() -> tuple[int, int]:
    """Return the bytes of memory that are available now, and those that this machine has."""
    import psutil

    found = psutil.virtual_memory()
    return int(found.available), int(found.total)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def disk_free(folder: Path) -> int:
    """Return the free bytes of the disk of a folder, or of the nearest one above that exists."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(existing).free


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


def owner_of(path: Path) -> tuple[int, int] | None:
    """Return user and group that own a folder, or that it will belong to once it is created.

    None stands for root, and for systems whose containers run in a virtual machine, where every
    user may write to the files that are shared with it.
    """
    if sys.platform != "linux":
        return None
    try:
        if not path.exists() and not is_root():
            return os.geteuid(), os.getegid()
        found = (path if path.exists() else path.parent).stat()
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid else None


def changeable(path: Path) -> Path | None:
    """Return what another user than root may write to or replace, of a path and its parents."""
    for each in (path.resolve(), *path.resolve().parents):
        try:
            found = each.stat()
        except FileNotFoundError:
            continue
        others = stat.S_IWOTH | (stat.S_IWGRP if found.st_gid else 0)
        # In a folder such as /tmp, only owners may replace what is in it.
        if found.st_uid or (found.st_mode & others and not found.st_mode & stat.S_ISVTX):
            return each
    return None


def user_name() -> str:
    """Return the name of this user; empty where users have none."""
    if not hasattr(os, "geteuid"):
        return ""
    # Not on Windows.
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def database_user() -> str:
    """Return the user that runs PostgreSQL instead of root; empty if this user is not root."""
    return DATABASE_USER if is_root() else ""


def is_unwritable(error: OSError) -> bool:
    """Tell whether an error means that a disk cannot be written to."""
    return error.errno in UNWRITABLE


def what_shows_why(error: OSError, folder: Path) -> str:
    """Return a hint for files of a folder that cannot be read or written."""
    if is_unwritable(error):
        return f"df -h {folder} shows the file system and its free space"
    return f"ls -ld {folder} {folder}/* shows owners and modes"


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


def free_port() -> int:
    """Return a port of this machine's loopback address that nothing listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
