"""The upgrade that is in progress or was interrupted, known by a state file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mlflow_compose.errors import UpgradeError
from mlflow_compose.lock import holder
from mlflow_compose.paths import StackPaths, write_state

FILE = "upgrading.json"
COMMAND = "upgrade"
# The data is as it was; it may have changed; the new versions work on it.
SAVING, CHANGING, PROVEN = "saving", "changing", "proven"


@dataclass(frozen=True)
class Upgrading:
    """An upgrade that has begun.

    Attributes:
        stage: How far it is.
        saved: Name of the snapshot of the stack as it was.
        old: Old versions, by setting.
        new: New versions, by setting.
        values: Settings to change in the env file.
        reloads: Whether PostgreSQL's data is dumped and loaded, and the old folder set aside.
    """

    stage: str
    saved: str
    old: Mapping[str, str]
    new: Mapping[str, str]
    values: Mapping[str, str]
    reloads: bool

    @property
    def text(self) -> str:
        """What happened and what ends it, as one sentence."""
        if self.stage == PROVEN:
            return "an upgrade was interrupted at its end; mlflow-compose up finishes it"
        return (
            "an upgrade was interrupted, so MLflow does not answer; "
            "mlflow-compose up puts everything back as it was"
        )


def state_of_upgrade(paths: StackPaths) -> str:
    """Return a sentence about an upgrade that is in progress or was interrupted, or nothing."""
    if not (found := upgrading(paths)):
        return ""
    by = holder(paths)
    return f"{by.text}; MLflow is unavailable" if by else found.text


def upgrading(paths: StackPaths) -> Upgrading | None:
    """Return the upgrade that was interrupted, None if there is none."""
    path = paths.state / FILE
    try:
        return Upgrading(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise UpgradeError(
            f"{path} cannot be read: it says how to undo an interrupted upgrade",
            hint="mlflow-compose snapshots lists the snapshots; restore the one called "
            "before-upgrade-… after removing that file",
        ) from None


def write_upgrading(paths: StackPaths, found: Upgrading) -> None:
    """Record how far an upgrade is.

    Raises:
        FilesError: It cannot be written.
    """
    write_state(paths, FILE, json.dumps(asdict(found)))


def end(paths: StackPaths) -> None:
    """Record that the stack is as it was, or as it should be."""
    (paths.state / FILE).unlink(missing_ok=True)


def check_not_upgrading(paths: StackPaths) -> None:
    """Make sure that the stack is not in the middle of an interrupted upgrade.

    Raises:
        UpgradeError: It is.
    """
    if found := upgrading(paths):
        raise UpgradeError(found.text, hint="mlflow-compose up")
