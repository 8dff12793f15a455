"""Wait for conditions, never for time; and ports that are free."""

import fcntl
import random
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

POLL = 0.2
# Deadlines are for what never comes: tests may run on a machine that has much else to do.
PATIENCE = 3
# Below the range that the system hands out by itself, so that nobody gets one in between.
PORTS = range(20000, 30000)
LOCKS = Path(tempfile.gettempdir()) / "mlflow-compose-test-ports"
RESERVED: list[TextIO] = []


def wait_until(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * PATIENCE:g} seconds: {what}")
        time.sleep(POLL)


def free_ports(count: int) -> list[int]:
    """Return ports of this machine on which nobody listens, and that no other test has."""
    candidates = random.sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if is_free(port) and reserve(port))
    return [next(free) for _ in range(count)]


def reserve(port: int) -> bool:
    """Keep a port from tests of other processes, also while nobody listens on it."""
    LOCKS.mkdir(exist_ok=True)
    file = (LOCKS / str(port)).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    # The lock is there as long as the file is open: until this process ends.
    RESERVED.append(file)
    return True


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port, on any address."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
