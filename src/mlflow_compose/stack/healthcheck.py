"""How a service is checked."""

import shlex
from dataclasses import dataclass
from typing import ClassVar

# File that a container's first successful health check creates.
CHECKED = "/dev/shm/healthy"  # noqa: S108 - in a container of its own
# Seconds after which a server that does not answer counts as broken, not slow.
PATIENCE = 300


@dataclass(frozen=True)
class Healthcheck:
    """How the engine checks that a service works; times are in seconds.

    Attributes:
        command: Command that succeeds if the service works.
        timeout: Time after which the command has failed.
        waits: Time that the command itself waits for a server that does not listen yet.

    There is no start period: during one, Docker 25 and newer check every 5 seconds, whatever the
    interval, and older engines reject the key that changes this. Each check is a new process in the
    container, so the interval must not be short for long. Services that wait for a starting server
    poll it themselves.
    """

    command: tuple[str, ...]
    timeout: int = 5
    waits: int = 0
    interval: ClassVar[int] = 1
    # Time that a check takes once the service is healthy.
    pause: ClassVar[int] = 4

    @property
    def shell(self) -> str:
        """The command and the pause, as a line of shell.

        /dev/shm is empty whenever a container starts.
        """
        again = f"test -e {CHECKED} && sleep {self.pause} || touch {CHECKED}"
        return f"{shlex.join(self.command)} && {{ {again}; }}"

    @property
    def limit(self) -> int:
        """Time that the line of shell may take."""
        return self.timeout + self.pause

    @property
    def retries(self) -> int:
        """Failures in a row that make it unhealthy; a slow start must not."""
        return PATIENCE // (self.interval + self.waits)
