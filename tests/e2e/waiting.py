"""Wait for conditions, never for time; and ports that are free."""

import random
import socket
import time
from collections.abc import Callable

POLL = 0.2
# Below the range that the system hands out by itself, so that nobody gets one in between.
PORTS = range(20000, 30000)


def wait_until(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} seconds: {what}")
        time.sleep(POLL)


def free_ports(count: int) -> list[int]:
    """Return ports of this machine on which nobody listens."""
    candidates = random.sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port, on any address."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
