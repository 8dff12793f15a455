"""`status --watch`, without a terminal."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread

import pytest

from .running import RunningStack
from .tool import SCRIPT, environment

# Seconds.
PATIENCE = 60


class Watching:
    """A running `status --watch` without a terminal."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def shows(self, *words: str) -> None:
        """Wait for a line with all of these words."""
        seen = []
        try:
            while True:
                seen.append(self._lines.get(timeout=PATIENCE))
                if all(word in seen[-1] for word in words):
                    return
        except Empty:
            pytest.fail(f"no line with {words}: {seen}")


@contextmanager
def watching(stack: RunningStack) -> Iterator[Watching]:
    """Run `status --watch` while the block runs."""
    with subprocess.Popen(
        [str(SCRIPT), "status", "--watch"],
        cwd=stack.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Watching(process)
        finally:
            process.kill()
