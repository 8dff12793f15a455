"""Wait for conditions, never for a fixed time; find free ports."""

import fcntl
import random
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

POLL = 0.2
# Deadlines only catch conditions that never become true: the machine may be busy.
PATIENCE = 3
# Below the ephemeral range, so that the system does not assign one in the meantime.
PORTS = range(20000, 30000)
LOCKS = Path(tempfile.gettempdir()) / "mlflow-compose-test-ports"
RESERVED: list[TextIO] = []


def wait_until(
    condition: Callable[[], object], *, seconds: float, what: str, poll: float = POLL
) -> None:
    """Return as soon as `condition` holds; fail with `what` if it does not in time."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * PATIENCE:g} seconds: {what}")
        time.sleep(poll)


def free_ports(count: int) -> list[int]:
    """Return free ports of this machine that no other test uses."""
    candidates = random.sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if is_free(port) and reserve(port))
    return [next(free) for _ in range(count)]


def reserve(port: int) -> bool:
    """Reserve a port against tests in other processes, even while nothing listens on it."""
    LOCKS.mkdir(exist_ok=True)
    file = (LOCKS / str(port)).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    # The lock is held as long as the file is open: until this process exits.
    RESERVED.append(file)
    return True


def is_free(port: int) -> bool:
    """Tell whether a port is free on all addresses."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
