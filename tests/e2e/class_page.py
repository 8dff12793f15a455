"""A running `class serve`."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.unit.class_page import Client

from .running import RunningStack
from .tool import SCRIPT, environment
from .waiting import PATIENCE

# Exit code of a command that SIGTERM ends.
TERMINATED = 143
# Seconds within which an action must be done.
ACTS_WITHIN = 120


class Served:
    """The page, as a teacher who has logged in."""

    def __init__(self, client: Client, snapshots: Iterator[dict[str, Any]]) -> None:
        self.client = client
        self._snapshots = snapshots

    def state(self, seat: str) -> dict[str, Any]:
        """Wait for the next snapshot with seats, and return the state of one."""
        shown = next(each["seats"] for each in self._snapshots if each["seats"])
        return next(each for each in shown if each["seat"] == seat)

    def act(self, seat: str, action: str) -> str:
        """Press a button, and wait for the outcome; return what went wrong."""
        deadline = time.monotonic() + ACTS_WITHIN * PATIENCE
        answer = self.client.act(seat, action, X_Confirm=seat)
        assert answer.status_code == 202, answer.text
        for snapshot in self._snapshots:
            assert time.monotonic() < deadline, snapshot["jobs"]
            job = snapshot["jobs"][-1] if snapshot["jobs"] else {"action": ""}
            if job["action"] == action and job["state"] in {"done", "failed"}:
                return str(job["text"])
        raise AssertionError("the page ended")


@contextmanager
def served(stack: RunningStack) -> Iterator[Served]:
    """Run `class serve` while the block runs; it must end by itself when it is told to."""
    with subprocess.Popen(
        [str(SCRIPT), "class", "serve"],
        cwd=stack.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            # It prints its URL once it listens.
            line = process.stdout.readline() if process.stdout else ""
            client = Client(line.split()[-1])
            client.log_in(stack.settings["CLASS_PASSWORD"])
            with client.events() as snapshots:
                yield Served(client, snapshots)
                process.terminate()
                assert process.wait(30 * PATIENCE) == TERMINATED
        finally:
            process.kill()
