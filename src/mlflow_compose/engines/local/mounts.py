"""What is mounted on this machine, and where."""

import os
import re
from collections.abc import Collection
from pathlib import Path

# Linux's list, which also shows bind mounts from the same disk; `st_dev` does not.
MOUNTINFO = Path("/proc/self/mountinfo")
MOUNT_POINT = 4


def mount_points(mountinfo: Path = MOUNTINFO) -> frozenset[Path]:
    """Return the mount points of this machine.

    Args:
        mountinfo: File that lists them; not every system has it.
    """
    import psutil

    try:
        lines = mountinfo.read_bytes().splitlines()
    except FileNotFoundError:
        return frozenset(Path(disk.mountpoint) for disk in psutil.disk_partitions(all=True))
    return frozenset(Path(_unescaped(line.split(b" ")[MOUNT_POINT])) for line in lines)


def _unescaped(text: bytes) -> str:
    """Return a path whose spaces and control characters the kernel wrote in octal."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), text))


def mounted_in(folders: Collection[Path], mounts: Collection[Path]) -> tuple[Path, ...]:
    """Return the mount points at or below folders, sorted."""
    return tuple(
        sorted(mount for mount in mounts if any(mount.is_relative_to(folder) for folder in folders))
    )
