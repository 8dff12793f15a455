"""Watch `docker compose up --wait`.

Compose neither gives up on a service that keeps restarting nor reports which one it waits for.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlflow_compose.engines.base import CREATED, RUNNING, ServiceStatus
from mlflow_compose.engines.process import children, terminate
from mlflow_compose.engines.verdict import (
    RESTARTS_TO_GIVE_UP,
    Verdict,
    find_culprit,
    restarts,
)
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Seconds. Each poll runs two docker commands, which slow down a starting stack.
POLL_EVERY = 2


@dataclass
class Stream:
    """A running command's output, read in the background.

    Attributes:
        lines: Output so far.
        error: Exception, None if the command succeeded.
        ended: Set once the command has ended.
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
        except Exception as error:  # noqa: BLE001 - raised again by `watch`
            self.error = error
        finally:
            self.ended.set()


def watch(  # noqa: PLR0913, PLR0917 - independent values
    stack: Stack,
    output: Iterable[tuple[str, bytes]],
    before: Sequence[ServiceStatus],
    look: Callable[[], Sequence[ServiceStatus]],
    progress: Progress,
    wait_timeout: float,
) -> Verdict:
    """Follow `docker compose up --wait` to its end, or until waiting is pointless.

    Args:
        stack: Stack to start.
        output: Output of the command, which starts when this is first read.
        before: Status of the services before the start.
        look: Returns the status of the services.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.
    """
    from python_on_whales.exceptions import DockerException

    deadline = time.monotonic() + wait_timeout
    unrelated = children()
    stream = Stream()
    on_line = _milestones(progress)
    threading.Thread(target=stream.follow, args=(output, on_line), daemon=True).start()
    try:
        while not stream.ended.wait(POLL_EVERY):
            now = look()
            given_up = any(count >= RESTARTS_TO_GIVE_UP for count in restarts(before, now).values())
            if given_up or time.monotonic() > deadline:
                culprit = find_culprit(stack, before, now)
                return Verdict(stream.lines, failed=True, late=not given_up, culprit=culprit)
    finally:
        # Given up or interrupted: nothing may continue to start services. python-on-whales does not
        # provide a handle to its commands.
        terminate(children() - unrelated)
    if stream.error is None:
        return Verdict(stream.lines)
    if not isinstance(stream.error, DockerException):
        raise stream.error
    culprit = find_culprit(stack, before, look())
    # Compose gave up: a service that was not started yet is not the reason.
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
