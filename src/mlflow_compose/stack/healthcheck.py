"""How a service is checked."""

import shlex
from dataclasses import dataclass
from typing import ClassVar

# File that a container's first successful check creates; it only makes later checks less frequent.
CHECKED = "/dev/shm/healthy"  # noqa: S108 - in a container of its own
# Seconds for which a starting server may refuse connections without counting as broken.
PATIENCE = 300


@dataclass(frozen=True)
class Healthcheck:
    """How the engine checks that a service works; times are in seconds.

    Attributes:
        command: Command that succeeds if the service works.
        timeout: Time after which the command has failed.
        waits: Time that the command itself waits for a server that does not listen yet.
        patience: Time for which a starting server may fail without counting as broken.
        pause: Time that a check takes once the service is healthy, or until it has failed.

    There is no start period: during one, Docker 25 and newer check every 5 seconds, whatever the
    interval, and older engines reject the key that changes this. Each check is a new process in the
    container, so the interval must not be short for long. Services that wait for a starting server
    poll it themselves.
    """

    command: tuple[str, ...]
    timeout: int = 5
    waits: int = 0
    patience: int = PATIENCE
    pause: int = 9
    interval: ClassVar[int] = 1
    # Time that one attempt of a command may take, by an option of its own. If the engine's limit
    # ended the shell instead, the command would become a child of the container's first process,
    # and PostgreSQL takes the end of an unknown child for a crash and ends all sessions.
    attempt: ClassVar[int] = 2

    @property
    def shell(self) -> str:
        """The command as a line of shell that tries until it succeeds, and then pauses.

        The first success of a container does not pause: /dev/shm is empty whenever one starts.
        """
        success = f"{{ test -e {CHECKED} && sleep {self.pause}; touch {CHECKED}; exit 0; }}"
        attempt = f"{shlex.join(self.command)} && {success}"
        if self.waits:
            return f"{attempt}; exit 1"
        tries = " ".join(map(str, range(1, self.pause + 1)))
        return f"for try in {tries}; do {attempt}; sleep 1; done; exit 1"

    @property
    def limit(self) -> int:
        """Time that the line of shell may take; it ends before by itself."""
        attempts = self.pause * (self.attempt + 1)
        return self.timeout + self.pause if self.waits else attempts + self.attempt + 1

    @property
    def retries(self) -> int:
        """Failures in a row that make it unhealthy; a slow start must not."""
        return self.patience // (self.interval + self.pause)
