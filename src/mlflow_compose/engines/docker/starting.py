"""Watch `docker compose up --wait`.

Compose neither gives up on a service that keeps ending nor says which one it waits for.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlflow_compose.engines.base import EXITED, HEALTHY, RUNNING, ServiceStatus
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# A server that cannot start ends again and again; after this many times it is not bad luck.
RESTARTS_TO_GIVE_UP = 2
LOOK_EVERY = 0.5


@dataclass
class Stream:
    """A running command's output, read in the background.

    Attributes:
        lines: What it printed so far.
        error: What it ended with, None where it went well.
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


@dataclass(frozen=True)
class Verdict:
    """How starting ended.

    Attributes:
        lines: What Compose said.
        failed: Whether it failed.
        late: Whether the time was over first.
        culprit: The service that is not up, None where it is not one of them.
    """

    lines: Sequence[str]
    failed: bool = False
    late: bool = False
    culprit: ServiceStatus | None = None


def watch(
    stack: Stack,
    output: Iterable[tuple[str, bytes]],
    look: Callable[[], Sequence[ServiceStatus]],
    progress: Progress,
    wait_timeout: float,
) -> Verdict:
    """Follow `docker compose up --wait` to its end, or until waiting on makes no sense.

    Args:
        stack: What is started.
        output: Of the command, which starts when this is first read.
        look: Tells how the services are.
        progress: Where to say what happens.
        wait_timeout: Seconds until every service must be healthy.
    """
    before, deadline = look(), time.monotonic() + wait_timeout
    others = _children()
    stream = Stream()
    on_line = _milestones(progress)
    threading.Thread(target=stream.follow, args=(output, on_line), daemon=True).start()
    while not stream.ended.wait(LOOK_EVERY):
        now = look()
        ending = keeps_ending(before, now)
        if ending or time.monotonic() > deadline:
            _terminate(_children() - others)
            culprit = ending or waiting_for(stack, now)
            return Verdict(stream.lines, failed=True, late=not ending, culprit=culprit)
    if stream.error is None:
        return Verdict(stream.lines)
    return Verdict(stream.lines, failed=True, culprit=waiting_for(stack, look()))


def keeps_ending(
    before: Sequence[ServiceStatus], now: Sequence[ServiceStatus]
) -> ServiceStatus | None:
    """Return a service that was started again and again since `before`, None where none was."""
    counted = {status.name: status.restarts for status in before}
    for status in now:
        base = counted.get(status.name, 0)
        # Fewer restarts than before: the container is a new one.
        if status.restarts - (base if status.restarts >= base else 0) >= RESTARTS_TO_GIVE_UP:
            return status
    return None


def waiting_for(stack: Stack, now: Sequence[ServiceStatus]) -> ServiceStatus | None:
    """Return the first service that is not up yet, None where all are."""
    for status in now:
        if stack.service(status.name).one_shot:
            if status.state != EXITED or status.exit_code:
                return status
        elif status.state != RUNNING or status.health not in {"", HEALTHY}:
            return status
    return None


def _milestones(progress: Progress) -> Callable[[str], None]:
    def on_line(line: str) -> None:
        match line.split():
            case ["Container", name, state]:
                progress.detail(f"{name} {state.lower()}")

    return on_line


def _children() -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process().children(recursive=True)}


def _terminate(pids: set[int]) -> None:
    """End the command that we gave up on; python-on-whales keeps no handle of it."""
    import psutil

    for pid in pids:
        if psutil.pid_exists(pid):
            psutil.Process(pid).terminate()
