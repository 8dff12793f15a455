"""Watch `docker compose up --wait`.

Compose neither gives up on a service that keeps ending nor says which one it waits for.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mlflow_compose.engines.base import CREATED, RUNNING, ServiceStatus
from mlflow_compose.engines.verdict import (
    RESTARTS_TO_GIVE_UP,
    Verdict,
    find_culprit,
    restarts,
)
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Each look is five docker commands, which a starting stack pays for.
LOOK_EVERY = 2
# Seconds that a command may take to end when it is told to.
ENDS_WITHIN = 10


@dataclass
class Stream:
    """A running command's output, read in the background.

    Attributes:
        lines: Output so far.
        error: Its exception, None if it succeeded.
        ended: Set when it ended.
    """

    lines: list[str] = field(default_factory=list)
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def follow(self, output: Iterable[tuple[str, bytes]], on_line: Callable[[str], None]) -> None:
        """Read `output` to its end; run this in a thread."""
        try:
            for _, line in output:
                text = line.decode(errors="replace").rstrip()
                self.lines.append(text)
                on_line(text)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self.error = error
        finally:
            self.ended.set()


def watch(
    stack: Stack,
    output: Iterable[tuple[str, bytes]],
    look: Callable[[], Sequence[ServiceStatus]],
    progress: Progress,
    wait_timeout: float,
) -> Verdict:
    """Follow `docker compose up --wait` to its end, or until waiting is pointless.

    Args:
        stack: Stack to start.
        output: Output of the command, which starts when this is first read.
        look: Tells how the services are.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.
    """
    from python_on_whales.exceptions import DockerException

    before, deadline = look(), time.monotonic() + wait_timeout
    others = children()
    stream = Stream()
    on_line = _milestones(progress)
    threading.Thread(target=stream.follow, args=(output, on_line), daemon=True).start()
    try:
        while not stream.ended.wait(LOOK_EVERY):
            now = look()
            given_up = any(count >= RESTARTS_TO_GIVE_UP for count in restarts(before, now).values())
            if given_up or time.monotonic() > deadline:
                culprit = find_culprit(stack, before, now)
                return Verdict(stream.lines, failed=True, late=not given_up, culprit=culprit)
    finally:
        # Whether it is given up or interrupted: nothing may go on starting services.
        end(children() - others)
    if stream.error is None:
        return Verdict(stream.lines)
    if not isinstance(stream.error, DockerException):
        raise stream.error
    culprit = find_culprit(stack, before, look())
    # Compose gave up: a service that only waits to be started is not the reason.
    blamed = culprit if culprit and culprit.state not in {CREATED, RUNNING} else None
    return Verdict(stream.lines, failed=True, culprit=blamed or _unhealthy(culprit))


def _unhealthy(status: ServiceStatus | None) -> ServiceStatus | None:
    return status if status and status.health == "unhealthy" else None


def _milestones(progress: Progress) -> Callable[[str], None]:
    def on_line(line: str) -> None:
        match line.split():
            case ["Container", name, state]:
                progress.detail(f"{name} {state.lower()}")

    return on_line


def children() -> set[int]:
    """Return the ids of all child processes, recursively."""
    import psutil

    return {child.pid for child in psutil.Process().children(recursive=True)}


def end(pids: Iterable[int]) -> None:
    """End commands whose output is no longer read; python-on-whales keeps no handle to them."""
    import psutil

    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
            found[-1].terminate()
    _, left = psutil.wait_procs(found, timeout=ENDS_WITHIN)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
