"""Look at the processes of a stack from outside, through /proc: memory, workers, processor time."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MEBIBYTE = 1024 * 1024
PROC = Path("/proc")
# States of sockets in /proc/PID/net/tcp.
LISTENING, ESTABLISHED = "0A", "01"


def belongs(pid: int, container: str) -> bool:
    """Return whether a process of this machine is in the container with this full id.

    Docker may report the number that a process has in a virtual machine or on another host, where
    it is another process than here. Docker names the control group after the container, and mounts
    /etc/hostname from a folder with that name; the latter is visible from any cgroup namespace.
    """
    folder = PROC / str(pid)
    try:
        return any(container in (folder / name).read_text() for name in ("cgroup", "mountinfo"))
    except OSError:
        return False


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants; nothing if it has ended."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def union(pids: Iterable[int]) -> list[psutil.Process]:
    """Return processes and their descendants, each once."""
    return list({process.pid: process for pid in pids for process in tree(pid)}.values())


def pss(pids: Iterable[int]) -> float:
    """Return the memory of processes and their descendants in MB.

    It is the proportional set size: memory that processes share counts once. The resident set size
    would count it for each of them.
    """
    total = 0
    for process in union(pids):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / MEBIBYTE


def processor_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of processes, their descendants and their ended children."""
    total = 0.0
    for process in union(pids):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def workers(pid: int, port: int) -> list[int]:
    """Return the processes below `pid` that answer on a port.

    Workers share the socket with the process that starts them, so of all processes that hold it,
    these are the ones without a child that does.
    """
    listening = sockets(pid, port, LISTENING)
    holders = {process.pid for process in tree(pid) if listening & set(files_of(process.pid))}
    parents = {psutil.Process(holder).ppid() for holder in holders}
    return sorted(holders - parents)


def busiest(pids: Sequence[int], port: int) -> int:
    """Return the process that holds the most connections of clients to a port."""

    def connections(pid: int) -> int:
        return len(sockets(pid, port, ESTABLISHED) & set(files_of(pid)))

    return max(pids, key=connections)


def sockets(pid: int, port: int, state: str) -> set[str]:
    """Return the sockets of a port in a state, as the file descriptors of processes show them."""
    return {
        f"socket:[{inode}]"
        for name in ("tcp", "tcp6")
        for inode in inodes(
            Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii"), port, state
        )
    }


def inodes(table: str, port: int, wanted: str) -> Iterator[str]:
    """Yield the inodes of sockets of a local port, from the text of /proc/PID/net/tcp."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        local, state, inode = fields[1], fields[3], fields[9]
        if state == wanted and int(local.rpartition(":")[2], 16) == port:
            yield inode


def files_of(pid: int) -> Iterator[str]:
    """Yield what the file descriptors of a process refer to."""
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(path.readlink())


def named(pattern: str) -> list[int]:
    """Return the processes of this machine with such a name."""
    return [
        process.pid
        for process in psutil.process_iter(["name"])
        if re.fullmatch(pattern, process.info["name"] or "")
    ]


def parent(pid: int) -> int:
    """Return the parent of a process."""
    return psutil.Process(pid).ppid()
