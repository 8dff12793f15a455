"""A stack while its data moves: known by a mark, also after the migration was killed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlflow_compose.engines import ServiceStatus
from mlflow_compose.lock import Holder, holder
from mlflow_compose.paths import StackPaths, write_state

COMMAND = "migrate-store"
MARK = "moving"


@dataclass(frozen=True)
class Moving:
    """A migration that has begun, and has neither ended nor brought the stack back.

    Attributes:
        by: The command that is working on the stack now, None if none is.
    """

    by: Holder | None

    @property
    def data(self) -> dict[str, object]:
        """What `--json` says."""
        runs = self.by is not None and self.by.command == COMMAND
        return {
            "state": "running" if runs else "interrupted",
            "pid": self.by.pid if self.by else None,
            "since": self.by.since.isoformat() if self.by else None,
        }

    @property
    def text(self) -> str:
        """Why MLflow does not answer, and until when."""
        if self.by is None:
            return (
                "a migration was cut off, so MLflow does not answer; "
                "mlflow-compose up brings the stack back"
            )
        if self.by.command == COMMAND:
            return (
                f"{COMMAND} has been moving data {self.by.when}; MLflow does not answer meanwhile"
            )
        return f"a migration was cut off, so MLflow does not answer; {self.by.text}"

    @staticmethod
    def seen(found: Sequence[ServiceStatus]) -> tuple[ServiceStatus, ...]:
        """Return how the services are: what has the name of mlflow only waits, on no port."""
        return tuple(
            replace(status, health="", ports=()) if status.name == "mlflow" else status
            for status in found
        )


def moving(paths: StackPaths) -> Moving | None:
    """Return the migration that a stack is in the middle of, None if there is none."""
    return Moving(holder(paths)) if (paths.state / MARK).exists() else None


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
