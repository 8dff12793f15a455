"""Whether there is room for what a restore writes."""

from mlflow_compose.data.backup.put import planned
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.engines import Engine
from mlflow_compose.errors import SnapshotError

# Where services run: the disk of their volumes, unless these are on disks of their own.
FREE = "import shutil; print(shutil.disk_usage('.').free)"
# A dump is compressed, and the old rows stay until the new ones are committed.
EXPANSION = 10
MB = 1_000_000


def check_room(engine: Engine, snapshot: Snapshot, known: Snapshot) -> None:
    """Make sure that the disk of the services has room for a snapshot.

    Args:
        engine: Engine of the stack.
        snapshot: Snapshot to load.
        known: A snapshot of this stack.

    Raises:
        SnapshotError: It has not.
    """
    stores = engine.stack.stores
    needed = 0 if stores.runs.external else EXPANSION * snapshot.manifest.database.bytes
    if not stores.artifacts.external:
        needed += planned(engine, snapshot, known).bytes
    outcome = engine.run("mlflow", ("python", "-c", FREE))
    if outcome.exit_code:
        raise SnapshotError(f"the free space cannot be read: {engine.stack.mask(outcome.failure)}")
    if (free := int(outcome.stdout)) < needed:
        raise SnapshotError(
            f"restoring {snapshot.name} needs up to {needed // MB} MB, but the services have "
            f"{free // MB} MB left on their disk",
            hint="free some space, then run the same command again",
        )
