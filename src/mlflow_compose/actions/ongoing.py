"""A stack while its data moves: known by a mark, also after the migration was killed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlflow_compose.engines import ServiceStatus
from mlflow_compose.lock import Holder, holder
from mlflow_compose.paths import StackPaths, write_state
from mlflow_compose.payloads import Migration

COMMAND = "migrate-store"
MARK = "moving"


@dataclass(frozen=True)
class OngoingMigration:
    """A migration that has begun, and has neither ended nor brought the stack back.

    Attributes:
        by: The command that is working on the stack now, None if none is.
        is_copied: Whether everything was copied, so that the stack starts on its new stores.
    """

    by: Holder | None
    is_copied: bool = False

    @property
    def data(self) -> Migration:
        """The same for programs."""
        runs = self.by is not None and self.by.command == COMMAND
        return Migration(
            state="running" if runs else "interrupted",
            pid=self.by.pid if self.by else None,
            since=self.by.since.isoformat() if self.by else None,
        )

    @property
    def text(self) -> str:
        """What the migration has done, and what ends it."""
        if self.is_copied:
            return self._text_copied
        if self.by is None:
            return (
                "a migration was interrupted, so MLflow does not answer; "
                "mlflow-compose up restores the stack"
            )
        if self.by.command == COMMAND:
            return f"{COMMAND} has been moving data {self.by.when}; MLflow is unavailable"
        return f"a migration was interrupted, so MLflow does not answer; {self.by.text}"

    @property
    def _text_copied(self) -> str:
        if self.by is None:
            return (
                "a migration was interrupted after everything was copied; "
                "mlflow-compose up finishes it"
            )
        if self.by.command == COMMAND:
            return f"{COMMAND} has copied everything and is starting the stack on its new stores"
        return f"a migration was interrupted after everything was copied; {self.by.text}"

    def seen(self, found: Sequence[ServiceStatus]) -> tuple[ServiceStatus, ...]:
        """Return how the services are: while data moves, mlflow only waits, on no port."""
        if self.is_copied:
            return tuple(found)
        return tuple(
            replace(status, health="", ports=()) if status.name == "mlflow" else status
            for status in found
        )


def ongoing_migration(paths: StackPaths) -> OngoingMigration | None:
    """Return the migration that is in progress or was interrupted, None if there is none."""
    if not (paths.state / MARK).exists():
        return None
    return OngoingMigration(holder(paths), is_copied=copied_to(paths) is not None)


def mark(paths: StackPaths, places: Mapping[str, object] | None = None) -> None:
    """Remember that data moves from now on; with `places`, that all of it is there and compared.

    Raises:
        FilesError: That cannot be written.
    """
    write_state(paths, MARK, json.dumps(places) if places else "")


def copied_to(paths: StackPaths) -> dict[str, object] | None:
    """Return the places to which a migration had copied everything when it was cut off, or None."""
    try:
        found: dict[str, object] = json.loads((paths.state / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def unmark(paths: StackPaths) -> None:
    """Forget it: the stack runs as its env file says."""
    (paths.state / MARK).unlink(missing_ok=True)
