"""When servers answer for the first time while a class starts."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.error import URLError
from urllib.request import urlopen

PAUSE, TIMEOUT = 1, 1


def arrivals(start: Callable[[], object], addresses: Sequence[str]) -> Mapping[str, float]:
    """Return after how many seconds of a start each address answered.

    Args:
        start: Starts the servers and returns when they are healthy.
        addresses: Addresses of the servers.
    """
    began = time.perf_counter()
    found: dict[str, float] = {}
    ended = threading.Event()

    def look() -> None:
        for address in addresses:
            if address not in found and answers(address):
                found[address] = time.perf_counter() - began

    def watch() -> None:
        while not ended.is_set():
            look()
            ended.wait(PAUSE)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        start()
    finally:
        ended.set()
        watcher.join()
    # The last servers may have become healthy since the watcher looked.
    look()
    return found


def answers(address: str) -> bool:
    """Return whether a server answers."""
    try:
        with urlopen(f"{address}/health", timeout=TIMEOUT) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)  # noqa: PLR2004
    except (URLError, OSError):
        return False
