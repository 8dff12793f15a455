"""What a command costs: its duration, and the memory of its processes."""

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from bench.backup.sizes import MB
from bench.commands import seconds
from bench.processes import tree

INTERVAL = 0.05


@dataclass
class Peak:
    """The largest memory so far, in MB.

    Attributes:
        together: Of all processes, summed.
        largest: Of the largest process.
    """

    together: float = 0
    largest: float = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self, others: Collection[psutil.Process]) -> None:
        """Sample the memory of all processes below this one, but some, until `ended` is set."""
        while not self.ended.wait(INTERVAL):
            started = (each for each in tree(os.getpid())[1:] if each not in others)
            found = [resident(process) for process in started]
            self.together = max(self.together, sum(found) / MB)
            self.largest = max(self.largest, max(found, default=0) / MB)


def resident(process: psutil.Process) -> int:
    """Return the resident memory of a process, 0 if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


@contextmanager
def peak() -> Iterator[Peak]:
    """Measure the memory of the commands that are started meanwhile."""
    found = Peak()
    thread = threading.Thread(target=found.watch, args=[tree(os.getpid())])
    thread.start()
    try:
        yield found
    finally:
        found.ended.set()
        thread.join()


@dataclass(frozen=True)
class Cost:
    """What was measured.

    Attributes:
        seconds: Duration.
        peak: Memory of the command and of the commands that it started.
    """

    seconds: float
    peak: Peak


def cost(action: Callable[[], object]) -> Cost:
    """Return what an action costs that runs commands."""
    with peak() as memory:
        taken = seconds(action)
    return Cost(taken, memory)
