"""Read the logs that supervisord keeps, as `docker compose logs` shows those of containers."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Seconds.
POLL_EVERY = 0.3


@dataclass
class Log:
    """The log of one service, and the position up to which it was read."""

    service: str
    path: Path
    inode: int = 0
    position: int = 0

    def skip(self) -> None:
        """Skip to the end of the log."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        self.inode, self.position = found.st_ino, found.st_size

    def last(self, count: int | None) -> list[str]:
        """Return the last lines, all of them if `count` is None; `new` continues from there."""
        # Including an incomplete line, which a killed server may leave.
        lines = self.new(whole=False)
        return lines if count is None else lines[len(lines) - min(count, len(lines)) :]

    def new(self, *, whole: bool = True) -> list[str]:
        """Return lines written since the last read; with `whole`, only complete lines."""
        try:
            with self.path.open("rb") as stream:
                found = self.path.stat()
                if found.st_ino != self.inode or found.st_size < self.position:
                    # Rotated or truncated.
                    self.inode, self.position = found.st_ino, 0
                stream.seek(self.position)
                text = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return []
        if whole:
            text = text[: text.rfind(b"\n") + 1]
        self.position += len(text)
        return text.decode(errors="replace").removesuffix("\n").split("\n") if text else []


class StartLogs:
    """The log lines of one start, without those of earlier starts."""

    def __init__(self, folder: Path, services: Iterable[str]) -> None:
        self._logs = {service: Log(service, folder / f"{service}.log") for service in services}

    def begin(self) -> None:
        """Skip what was logged so far."""
        for log in self._logs.values():
            log.skip()

    def last(self, service: str, count: int) -> list[str]:
        """Return the last lines of a service, prefixed with its name."""
        return [f"{service} | {line}" for line in self._logs[service].last(count)]


def read(
    folder: Path,
    services: Sequence[str],
    *,
    tail: int | None,
    follow: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """Yield log lines, prefixed with the name of the service.

    Args:
        folder: Folder of the logs.
        services: Services to read.
        tail: Number of lines from the end, None for all.
        follow: Returns whether to continue waiting for new lines; None stops at the end.
    """
    width = max(len(service) for service in services)
    logs = [Log(service, folder / f"{service}.log") for service in services]
    for log in logs:
        yield from (f"{log.service:<{width}} | {line}" for line in log.last(tail))
    while follow is not None:
        running = follow()
        for log in logs:
            yield from (f"{log.service:<{width}} | {line}" for line in log.new())
        if not running:
            return
        time.sleep(POLL_EVERY)
