"""Copy the data of a stack on this machine into the same stack in a cluster."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_compose.actions.cluster_plan import ClusterMove
from mlflow_compose.actions.files import write_files
from mlflow_compose.actions.old_server import other_buckets
from mlflow_compose.actions.plan import Plan
from mlflow_compose.clients import ObjectsError
from mlflow_compose.data.migration import (
    check_unchanged,
    named_buckets,
    not_moved,
    send_objects,
    send_runs,
)
from mlflow_compose.engines import Engine
from mlflow_compose.errors import SnapshotError, StoreError
from mlflow_compose.machine import free_port
from mlflow_compose.payloads import Absent, Migrated
from mlflow_compose.render import write
from mlflow_compose.result import Progress
from mlflow_compose.stack import migration
from mlflow_compose.stack.components import postgres

MLFLOW, S3 = "mlflow", "s3"
# Folder of the dump, in that of the tool's state.
DUMP = "moving.dump"
AGAIN = "fix that and run the same command again"
EngineOf = Callable[[Plan], Engine]


@dataclass(frozen=True)
class Copied:
    """What was copied, and what was not.

    Attributes:
        data: The payload.
        not_moved: What else is in the bundled database, worded for users.
    """

    data: Migrated
    not_moved: Sequence[str] = ()


def copy_into_cluster(
    move: ClusterMove, engine_of: EngineOf, progress: Progress, wait_timeout: float
) -> Copied:
    """Run the servers on both sides without MLflow, and copy from one to the other.

    Raises:
        StoreError: The cluster has other data, or differs after the copy.
    """
    target, idle = engine_of(move.new), move.idle()
    write_files(move.new)
    # Everything that takes long, before MLflow stops.
    target.prepare(progress)
    target.start(progress, wait_timeout=wait_timeout, without=(MLFLOW,))
    write(idle.rendering(), idle.folder)
    source = engine_of(idle)
    source.prepare(progress)
    source.start(progress, wait_timeout=wait_timeout)
    copied = Copied(Migrated(kept=(), dvc_buckets={}, other_buckets=(), other_locations={}))
    if move.moves_runs:
        copied = _copy_runs(move, source, target, copied, progress)
    if move.moves_objects:
        copied = _copy_objects(move, idle, engine_of, copied, progress)
    if not isinstance(rows := copied.data.rows, Absent):
        with _errors("runs"):
            check_unchanged(source, rows)
    return replace(copied, data=replace(copied.data, kept=removable(move, copied)))


def _copy_runs(
    move: ClusterMove, source: Engine, target: Engine, copied: Copied, progress: Progress
) -> Copied:
    folder = dump_folder(move)
    # Of a move that was killed.
    shutil.rmtree(folder, ignore_errors=True)
    with progress.step("Copying runs"), _errors("runs"):
        folder.mkdir(mode=0o700)
        rows = send_runs(source, target, folder, progress)
        others = not_moved(source)
    return replace(copied, data=replace(copied.data, rows=rows), not_moved=others)


def _copy_objects(
    move: ClusterMove, idle: Plan, engine_of: EngineOf, copied: Copied, progress: Progress
) -> Copied:
    # Only now, so that no other process takes the port meanwhile.
    port = free_port()
    source, target = engine_of(idle), engine_of(move.receiving(port))
    with progress.step("Copying objects"), target.reachable((S3,)), _errors("objects"):
        if not target.listens_on(port):
            raise StoreError(
                f"the S3 server in the cluster cannot be reached through port {port}", hint=AGAIN
            )
        objects = send_objects(source, target, progress)
        others = other_buckets(idle)
        locations = dict(named_buckets(source, progress))
    locations.pop(move.old.stack.stores.bucket, None)
    data = replace(copied.data, objects=objects, other_buckets=others, other_locations=locations)
    return replace(copied, data=data)


def removable(move: ClusterMove, copied: Copied) -> Sequence[str]:
    """Return the volumes whose data is in the cluster as a whole."""
    stack = move.old.stack
    kept = {
        *(migration.objects_volumes(stack) if copied.data.other_buckets else ()),
        *((postgres.VOLUME,) if copied.not_moved else ()),
    }
    return [name for name in stack.data_volumes if name not in kept]


def dump_folder(move: ClusterMove) -> Path:
    """Return the folder of the dump, which only exists while data moves."""
    return move.old.paths.state / DUMP


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except (ObjectsError, OSError) as error:
        raise StoreError(f"the {what} cannot be copied: {error}", hint=AGAIN) from None
    except SnapshotError as error:
        raise StoreError(
            f"the {what} cannot be copied: {error.message}", hint=error.hint or AGAIN
        ) from None
