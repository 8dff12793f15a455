"""Watch `docker compose up --wait`.

Compose neither gives up on a service that keeps ending nor says which one it waits for.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlflow_compose.engines.base import EXITED, HEALTHY, RUNNING, ServiceStatus
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
