"""`migrate-store --to kubernetes`: the same stack with the same data, in a cluster."""

import shlex
import shutil
from collections.abc import Iterator

from mlflow_compose.actions.boot import installed_unit
from mlflow_compose.actions.changed import changed, places_of, started_with
from mlflow_compose.actions.class_limits import check_no_seats
from mlflow_compose.actions.cluster_copy import (
    MLFLOW,
    Copied,
    EngineOf,
    copy_into_cluster,
    dump_folder,
)
from mlflow_compose.actions.cluster_plan import ClusterMove
from mlflow_compose.actions.files import write_files
from mlflow_compose.actions.hidden_data import check_elsewhere
from mlflow_compose.actions.migration_lines import copied_lines, not_copied_lines
from mlflow_compose.actions.notes import ignored_notes
from mlflow_compose.actions.ongoing import mark, unmark
from mlflow_compose.actions.rollback import roll_back
from mlflow_compose.actions.versions import record_versions
from mlflow_compose.checks import verify
from mlflow_compose.engines import Engine, check_ports
from mlflow_compose.engines.base import EXITED, RUNNING
from mlflow_compose.errors import MlflowComposeError, UsageError
from mlflow_compose.record import read_record, write_record
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack import KUBERNETES
from mlflow_compose.stack.chart import CLAIMS

STAYS = (
    "everything was copied and compared, so the stack stays in the cluster; "
    "mlflow-compose up finishes the move"
)


def move_to_cluster(
    move: ClusterMove, engine_of: EngineOf, progress: Progress, *, wait_timeout: float
) -> Result:
    """Copy the data of a running stack into a cluster, compare, and run the stack there.

    Until MLflow starts in the cluster, any failure restores the stack on this machine, and the copy
    stays. The data on this machine is kept.

    Args:
        move: The stack on this machine and in the cluster.
        engine_of: Returns the engine of a plan.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.

    Raises:
        UsageError: The stack is not running, runs in the cluster, or has run there.
        StoreError: The cluster has other data, or differs after the copy.
        VerifyError: The stack does not work in the cluster.
    """
    old = engine_of(move.old)
    _check(move, old, engine_of, progress)
    for note in ignored_notes(move.new):
        progress.note(note)
    mark(move.old.paths)
    try:
        copied = copy_into_cluster(move, engine_of, progress, wait_timeout)
        old.stop(progress, volumes=False)
        mark(move.old.paths, places_of(move.new))
        move.env.apply()
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        progress.note(roll_back(move, old, progress, wait_timeout, interrupted=interrupted))
        progress.note(_stopped(engine_of(move.new), progress))
        raise
    finally:
        shutil.rmtree(dump_folder(move), ignore_errors=True)
    _start_new(move, engine_of(move.new), progress, wait_timeout)
    return Result(copied.data, [*copied_lines(copied.data), *_kept_lines(move, old, copied)])


def _check(move: ClusterMove, old: Engine, engine_of: EngineOf, progress: Progress) -> None:
    """Make sure that the stack runs and shows all of its data, and that the cluster can get it."""
    check_no_seats(move.old, "moves")
    if unit := installed_unit(move.old):
        raise UsageError(
            f"{unit} would start the stack on this machine again at the next boot",
            hint="mlflow-compose service remove",
        )
    old.check()
    record = read_record(move.old.paths)
    if change := changed(move.old, record):
        # Hidden data would not be moved.
        check_elsewhere(change, engine_of, progress)
    old.check_data()
    if not any(status.state == RUNNING for status in old.status()):
        raise UsageError("the stack is not running", hint="mlflow-compose up starts it")
    new = engine_of(move.new)
    new.check()
    new.check_data(start_empty=True)
    _check_never_ran(move, new)


def _check_never_ran(move: ClusterMove, new: Engine) -> None:
    """Make sure that MLflow in the cluster has stored nothing, which the copy would replace."""
    record = read_record(move.old.paths)
    runs = [each for each in new.status() if each.name == MLFLOW and each.state != EXITED]
    if runs or started_with(record, KUBERNETES, move.old.identity):
        claims = [new.removal_command(name) for name in CLAIMS]
        raise UsageError(
            "this stack has run in the cluster already, and what was stored there would be "
            "replaced",
            hint="set another KUBE_NAMESPACE in .env; or if nothing there is needed: "
            f"STACK_ENGINE={KUBERNETES} mlflow-compose down, then "
            f"{' && '.join(map(shlex.join, claims))}",
        )


def _start_new(move: ClusterMove, engine: Engine, progress: Progress, wait_timeout: float) -> None:
    """Start MLflow in the cluster and verify it. There is no way back from here on: it answers."""
    plan = move.new
    try:
        _record(move)
        write_files(plan)
        check_ports(engine)
        engine.start(progress, wait_timeout=wait_timeout)
        record_versions(plan)
        verify(engine, progress).expect()
        unmark(plan.paths)
    except BaseException:
        progress.note(STAYS)
        raise


def _record(move: ClusterMove) -> None:
    """Record where the data is now, before anything is stored there."""
    plan, engine = move.new, move.new.stack.site.engine
    record = read_record(plan.paths).stopped(move.old.stack.site.engine)
    record = record.with_workspaces(engine, are_on=plan.stack.workspaces)
    write_record(record.started(engine, places_of(plan), plan.stack.volumes), plan.paths)


def _stopped(engine: Engine, progress: Progress) -> str:
    """Stop the servers in the cluster after a failure; return a sentence about the copy."""
    try:
        engine.stop(progress, volumes=False)
    except MlflowComposeError as error:
        return f"the servers in the cluster may still run: {error.message}"
    return "the copy in the cluster stays; the same command continues"


def _kept_lines(move: ClusterMove, old: Engine, copied: Copied) -> Iterator[str]:
    """Say where the old data is, and what was not copied."""
    yield from not_copied_lines(copied.data)
    for what in copied.not_moved:
        yield f"{what}: not MLflow's, not copied"
    yield f"the old data is kept on this machine ({move.old.stack.site.engine})"
    if copied.data.kept:
        yield "these commands delete what was copied:"
    yield from (f"  {shlex.join(old.removal_command(name))}" for name in copied.data.kept)
