"""Run commands, measure times and memory."""

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

TOOL = Path(sys.executable).with_name("mlflow-compose")
MEBIBYTE = 1024 * 1024
REPEATS = 5


def pss(processes: Iterable[psutil.Process]) -> int:
    """Return the memory of processes in bytes (PSS: shared pages count once)."""
    return sum(process.memory_full_info().pss for process in processes)


def tool(*arguments: str) -> str:
    """Run mlflow-compose and return its output."""
    return run(str(TOOL), *arguments)


def run(*argv: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command and return its output; exit with the output if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(action: Callable[[], object]) -> float:
    """Return the duration of an action in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median(action: Callable[[], object]) -> float:
    """Return the median duration of an action in seconds."""
    return statistics.median(seconds(action) for _ in range(REPEATS))


def free_ports(count: int) -> Sequence[int]:
    """Return free ports of this machine."""
    with ports(count) as found:
        return found


@contextmanager
def ports(count: int) -> Iterator[list[int]]:
    """Reserve ports that the system chooses, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        yield [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()
