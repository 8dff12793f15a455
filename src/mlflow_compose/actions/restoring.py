"""The restore that is in progress or was interrupted, known by a state file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mlflow_compose.actions.changed import changed, places_of
from mlflow_compose.actions.plan import Plan
from mlflow_compose.errors import SnapshotError
from mlflow_compose.lock import holder
from mlflow_compose.paths import StackPaths, write_state
from mlflow_compose.record import read_record

FILE = "restoring.json"


@dataclass(frozen=True)
class Restoring:
    """A restore that has begun to change the stack.

    Attributes:
        snapshot: Name of the snapshot that is restored, empty for a reset.
        saved: Name of the snapshot of the stack as it was, empty if nothing has changed yet.
        engine: Engine of the stack.
        places: Where its data is.
    """

    snapshot: str
    saved: str
    engine: str
    places: Mapping[str, object]

    @property
    def what(self) -> str:
        """What was begun."""
        return f"restoring {self.snapshot}" if self.snapshot else "resetting the stack"

    @property
    def text(self) -> str:
        """What happened and what ends it, as one sentence."""
        return (
            f"{self.what} was interrupted, so MLflow does not answer; "
            "mlflow-compose up puts everything back as it was"
        )


def state_of_restore(paths: StackPaths) -> str:
    """Return a sentence about a restore that is in progress or was interrupted, or nothing."""
    if not (found := restoring(paths)):
        return ""
    by = holder(paths)
    return f"{by.text}; MLflow is unavailable" if by else found.text


def restoring(paths: StackPaths) -> Restoring | None:
    """Return the restore that was interrupted, None if there is none."""
    try:
        return Restoring(**json.loads((paths.state / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise SnapshotError(
            f"{paths.state / FILE} cannot be read: it says how to undo an interrupted restore",
            hint="mlflow-compose snapshots lists the snapshots; restore the one called "
            "before-restore-… after removing that file",
        ) from None


def begin(plan: Plan, snapshot: str, saved: str) -> None:
    """Record that the stack is about to change."""
    began = Restoring(snapshot, saved, plan.stack.site.engine, places_of(plan))
    write_state(plan.paths, FILE, json.dumps(asdict(began)))


def check_same(plan: Plan, began: Restoring) -> None:
    """Make sure that the stack has its data where an interrupted restore was changing it.

    Raises:
        SnapshotError: The settings name another place, whose data must not be replaced.
    """
    now = json.loads(json.dumps(places_of(plan)))
    if (began.engine, began.places) != (plan.stack.site.engine, now):
        raise SnapshotError(
            f"{began.what} was interrupted, and since then the settings name other stores",
            hint="set them back in .env, then mlflow-compose up puts everything back as it was",
        )


def check_places(plan: Plan) -> None:
    """Make sure that the stack has its data where it was last started.

    Raises:
        SnapshotError: The settings name another place.
    """
    if changed(plan, read_record(plan.paths)):
        raise SnapshotError(
            "the settings have changed since the stack was started, and name other stores",
            hint="mlflow-compose up starts it on these, or says what is in the way",
        )


def end(paths: StackPaths) -> None:
    """Record that the stack is as it was, or as the snapshot has it."""
    (paths.state / FILE).unlink(missing_ok=True)


def check_not_restoring(paths: StackPaths) -> None:
    """Make sure that the stack is not in the middle of an interrupted restore.

    Raises:
        SnapshotError: It is.
    """
    if found := restoring(paths):
        raise SnapshotError(found.text, hint="mlflow-compose up")
