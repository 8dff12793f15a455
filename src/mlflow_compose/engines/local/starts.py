"""How often each service was started: supervisord does not count."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.stack import Service


@dataclass(frozen=True)
class Starts:
    """Files to which each service's script adds one byte per start.

    Attributes:
        folder: Folder of the files.
    """

    folder: Path

    def restarts(self, service: Service) -> int:
        """Return how often a service was restarted since a command started it."""
        if service.one_shot:
            return 0
        with suppress(OSError):
            return max(self._file(service).stat().st_size - 1, 0)
        return 0

    def forget(self, services: Iterable[Service]) -> None:
        """Count from zero again, because a command is about to start these services."""
        for service in services:
            self._file(service).unlink(missing_ok=True)

    def _file(self, service: Service) -> Path:
        return self.folder / f"{service.name}.starts"
