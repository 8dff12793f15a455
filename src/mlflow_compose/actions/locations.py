"""Artifact locations in the database that a migration of the bucket does not move."""

from collections.abc import Mapping

from mlflow_compose.actions.migration_plan import MigrationPlan
from mlflow_compose.data.migration import named_buckets
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UsageError
from mlflow_compose.result import Progress


def other_locations(move: MigrationPlan, engine: Engine, progress: Progress) -> Mapping[str, int]:
    """Return the number of artifact locations that name other buckets, by bucket.

    Raises:
        StoreError: The database cannot be read.
        UsageError: Some name the bucket that is moved, and it gets another name.
    """
    if not move.moves_objects:
        return {}
    with progress.step("Reading artifact locations"):
        found = dict(sorted(named_buckets(engine, progress).items()))
    old, new = move.old.stack.stores, move.new.stack.stores
    moved = found.pop(old.bucket, 0) if old.uses_s3 else 0
    if moved and old.bucket != new.bucket:
        raise UsageError(
            f"MLFLOW_BUCKET_NAME cannot change: artifact locations in the database name the bucket "
            f"{old.bucket} ({moved})",
            hint="create a bucket of that name on the new S3 server, and set "
            f"MLFLOW_BUCKET_NAME={old.bucket} in the --settings file",
        )
    return found
