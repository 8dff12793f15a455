"""`migrate-store`: the same stack with the same data on other stores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from mlflow_compose.actions.changed import changed, places_of
from mlflow_compose.actions.class_limits import check_no_seats
from mlflow_compose.actions.dvc_buckets import copy_buckets
from mlflow_compose.actions.folders import record_folders
from mlflow_compose.actions.hidden_data import (
    check_elsewhere,
    check_workspaces,
    leaves_workspaces,
)
from mlflow_compose.actions.locations import other_locations
from mlflow_compose.actions.migration_lines import copied_lines, kept_lines
from mlflow_compose.actions.migration_plan import MigrationPlan, own_server
from mlflow_compose.actions.old_server import other_buckets, serves
from mlflow_compose.actions.ongoing import mark, unmark
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.rollback import roll_back
from mlflow_compose.checks import external_database, verify
from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.data.migration import copy_artifacts, copy_objects, copy_runs
from mlflow_compose.engines import Engine, check_ports
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import StoreError, UsageError
from mlflow_compose.payloads import CopiedObjects, Migrated
from mlflow_compose.record import read_record, write_record
from mlflow_compose.render import write
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack import migration

STAYS = (
    "everything was copied and compared, so the stack keeps its new stores; "
    "mlflow-compose up finishes the migration"
)


def migrate_store(
    move: MigrationPlan,
    engine_of: Callable[[Plan], Engine],
    progress: Progress,
    *,
    wait_timeout: float,
) -> Result:
    """Copy the data of a running stack to other stores, compare, and switch to these.

    Until MLflow starts on the new stores, any failure restores the old stack, and the copy stays.
    From then on, the stack keeps the new stores.

    Args:
        move: The current stack and the new one.
        engine_of: Returns the engine of a plan.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.

    Raises:
        UsageError: The stack is not running.
        StoreError: A new store cannot be used, or differs from the old one after the copy.
        VerifyError: The stack does not work on the new stores.
    """
    check_no_seats(move.old, "moves")
    engine = engine_of(move.old)
    _check(move, engine, engine_of, progress)
    _check_bucket(move)
    locations = other_locations(move, engine, progress)
    _begin(move, engine)
    try:
        copied = _copy(move, engine_of(move.intermediate), progress, wait_timeout)
        _switch(move, progress)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        progress.note(roll_back(move, engine, progress, wait_timeout, interrupted=interrupted))
        raise
    kept = _start_new(move, engine_of(move.new), progress, wait_timeout)
    copied = replace(copied, kept=kept, other_locations=locations)
    return Result(copied, [*copied_lines(copied), *kept_lines(move.old.stack, copied)])


def _check(
    move: MigrationPlan, engine: Engine, engine_of: Callable[[Plan], Engine], progress: Progress
) -> None:
    """Make sure that the stack runs and shows all of its data."""
    engine.check()
    if change := changed(move.old, read_record(move.old.paths)):
        # Hidden data would not be moved, and its volume would count as left over.
        check_elsewhere(change, engine_of, progress)
    elif leaves_workspaces(move.old):
        check_workspaces(move.old, engine_of, progress)
    engine.check_data()
    # Before the old stack is stopped: the new one must pass the checks of `up`.
    engine_of(move.new).check_data(start_empty=True)
    if not any(status.state == RUNNING for status in engine.status()):
        raise UsageError("the stack is not running", hint="mlflow-compose up starts it")


def _begin(move: MigrationPlan, engine: Engine) -> None:
    """Record that a migration has begun, and its new volumes, which are left over if it fails."""
    existing = {*engine.unused_volumes(), *move.old.stack.volumes}
    created = {*move.new.stack.volumes} - existing
    paths, site = move.old.paths, move.old.stack.site
    record = read_record(paths).with_other_buckets(site.engine, created, ())
    write_record(record.moved(site.engine, places_of(move.old), created), paths)
    mark(paths)


def _switch(move: MigrationPlan, progress: Progress) -> None:
    """Change the env file and the rendered files to the new stores."""
    mark(move.old.paths, places_of(move.new))
    if move.env.apply():
        name = move.env.path.name
        edited = f"{name} was edited during the migration"
        progress.note(f"{edited}; mlflow-compose up applies the changes")
    write(move.new.rendering(), move.new.folder)


def _start_new(
    move: MigrationPlan, engine: Engine, progress: Progress, wait_timeout: float
) -> Sequence[str]:
    """Start MLflow on the new stores and verify it; return the volumes with the old data.

    There is no rollback from here on, not even if the start fails: a server that was never seen
    healthy may have answered clients, and their data is only in the new stores.
    """
    try:
        # Before the start: even after kill -9, its volumes must not count as left over.
        kept = _record_move(move)
        engine.start(progress, wait_timeout=wait_timeout)
        record_folders(move.new, engine)
        verify(engine, progress).expect()
        unmark(move.new.paths)
    except BaseException:
        progress.note(STAYS)
        raise
    return kept


def _record_move(move: MigrationPlan) -> Sequence[str]:
    """Record where the data is now; return the volumes that keep the old data."""
    kept = migration.kept(move.old.stack, move.new.stack)
    record, site, volumes = read_record(move.new.paths), move.new.stack.site, move.new.stack.volumes
    moved = record.moved(site.engine, places_of(move.new), kept)
    write_record(moved.started(site.engine, places_of(move.new), volumes), move.new.paths)
    return [name for name in kept if name not in record.left_behind_on(site.engine)]


def _copy(move: MigrationPlan, engine: Engine, progress: Progress, wait_timeout: float) -> Migrated:
    """Run the servers of both stacks, and copy from one to the other."""
    write(move.intermediate.rendering(), move.intermediate.folder)
    check_ports(engine)
    engine.prepare(progress)
    engine.start(progress, wait_timeout=wait_timeout)
    copied = Migrated(kept=(), dvc_buckets={}, other_buckets=(), other_locations={})
    if move.moves_objects:
        with progress.step("Copying objects"):
            copied = replace(copied, objects=_copy_objects(move, engine, progress))
        with _s3_errors():
            copied = replace(copied, dvc_buckets=copy_buckets(move, engine, progress))
            others = (name for name in other_buckets(move.old) if name not in copied.dvc_buckets)
            copied = replace(copied, other_buckets=tuple(others))
        _record_other_buckets(move, copied.other_buckets)
    if move.moves_runs:
        if cause := external_database(engine):
            raise StoreError(cause.sentence, hint=cause.hint)
        with progress.step("Copying runs"):
            copied = replace(copied, rows=copy_runs(engine, move.old.stack, progress))
    return copied


def _record_other_buckets(move: MigrationPlan, buckets: Sequence[str]) -> None:
    """Record the buckets that were not copied, before anything can count as left over."""
    paths, stack = move.old.paths, move.old.stack
    volumes = migration.objects_volumes(stack)
    record = read_record(paths).with_other_buckets(stack.site.engine, volumes, buckets)
    write_record(record, paths)


def _check_bucket(move: MigrationPlan) -> None:
    """Make sure that an external bucket can be used, before anything is stopped."""
    new = move.new.stack
    if not move.moves_objects or new.has("s3"):
        return
    target = Objects.of(new)
    with _s3_errors():
        if move.new.loaded.settings.mlflow_bucket_create:
            target.create_bucket()
        target.check()
        if serves(move.old, target):
            raise own_server(target.endpoint)


def _copy_objects(move: MigrationPlan, engine: Engine, progress: Progress) -> CopiedObjects:
    old, new = move.old.stack, move.new.stack
    if not old.stores.uses_s3:
        return copy_artifacts(engine, old, progress)
    target = Objects.of(new, migration.objects_url(old, new, move.port))
    with _s3_errors():
        own = new.has("s3") and not new.folders
        return copy_objects(Objects.of(old), target, progress, own=own)


@contextmanager
def _s3_errors() -> Iterator[None]:
    try:
        yield
    except (ObjectsError, OSError) as error:
        raise StoreError(
            f"the objects cannot be copied: {error}",
            hint="fix that and run the same command again; it continues where it stopped",
        ) from None
