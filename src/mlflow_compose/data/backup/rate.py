"""How much was done, and how fast."""

import time
from collections.abc import Callable

MB = 1e6


class Rate:
    """Measures a rate since it was created."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start = clock, clock()

    def text(self, done: int) -> str:
        """Return an amount of bytes and its rate."""
        seconds = max(self._clock() - self._start, 1e-3)
        return f"{done / MB:.0f} MB, {done / MB / seconds:.0f} MB/s"
