"""The migration that is in progress or was interrupted, known by a marker file."""

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
    """A migration that has begun, and neither completed nor been rolled back.

    Attributes:
        by: Command that is working on the stack now, None if there is none.
        is_copied: Whether everything was copied, so that the stack will use its new stores.
    """

    by: Holder | None
    is_copied: bool = False

    @property
    def data(self) -> Migration:
        """The payload for `--json`."""
        runs = self.by is not None and self.by.command == COMMAND
        return Migration(
            state="running" if runs else "interrupted",
            pid=self.by.pid if self.by else None,
            since=self.by.since.isoformat() if self.by else None,
        )

    @property
    def text(self) -> str:
        """The state of the migration, and how to finish it, as one sentence."""
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

    def adjusted(self, found: Sequence[ServiceStatus]) -> tuple[ServiceStatus, ...]:
        """Return the status of the services, without health and ports of the idle mlflow."""
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
    """Write the marker file of a migration; with `places`, all data is copied and compared.

    Raises:
        FilesError: The marker file cannot be written.
    """
    write_state(paths, MARK, json.dumps(places) if places else "")


def copied_to(paths: StackPaths) -> dict[str, object] | None:
    """Return the new places if a migration was interrupted after the copy, otherwise None."""
    try:
        found: dict[str, object] = json.loads((paths.state / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def unmark(paths: StackPaths) -> None:
    """Remove the marker file: the stack runs on the stores of its env file."""
    (paths.state / MARK).unlink(missing_ok=True)
