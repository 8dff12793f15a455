"""`restore` and `reset`: put a snapshot into the stack, or nothing, or everything back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from mlflow_compose.actions.lifecycle import up
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.restoring import (
    Restoring,
    begin,
    check_places,
    check_same,
    end,
    restoring,
)
from mlflow_compose.actions.snapshots import contents_of, state_of
from mlflow_compose.checks import verify
from mlflow_compose.data.backup import (
    NotLoadedError,
    Snapshot,
    admit_admin,
    check,
    check_fits,
    check_room,
    default_name,
    empty_database,
    find,
    load_database,
    load_objects,
    remove,
    take,
)
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import MlflowComposeError, SnapshotError
from mlflow_compose.payloads import Restored
from mlflow_compose.render import write
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings import public_values
from mlflow_compose.stack import migration

SAVED, RESET = "before-restore-{}", "before-reset-{}"
EngineOf = Callable[[Plan], Engine]


@dataclass(frozen=True)
class Work:
    """What a restore works with.

    Attributes:
        plan: The stack.
        engine_of: Returns the engine of a plan.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.
    """

    plan: Plan
    engine_of: EngineOf
    progress: Progress
    wait_timeout: float

    @property
    def engine(self) -> Engine:
        """The engine of the stack."""
        return self.engine_of(self.plan)

    def find(self, name: str) -> Snapshot:
        """Return a snapshot of the stack's folder."""
        return find(self.plan.paths.backups, name)

    def written(self, plan: Plan) -> Engine:
        """Return the engine of a plan, whose files become those on disk."""
        write(plan.rendering(), plan.folder)
        return self.engine_of(plan)

    def start(self, *, prove: bool) -> Result:
        """Start the stack with the data that it has."""
        return up(
            self.plan,
            self.engine,
            self.progress,
            wait_timeout=self.wait_timeout,
            prove=prove,
            engine_of=self.engine_of,
        )


def idle(plan: Plan) -> Plan:
    """Return a stack whose servers run, and whose MLflow does nothing."""
    return replace(plan, stack=migration.intermediate(plan.stack, plan.stack, port=0))


def restore(work: Work, name: str, now: datetime, *, saved_as: str = SAVED) -> Result:
    """Put a snapshot into the stack, after saving the stack as it is.

    Any failure puts everything back. After a kill, the next `up` does.

    Args:
        work: The stack.
        name: Name of the snapshot.
        now: The current time, with its time zone.
        saved_as: Name of the snapshot of the stack as it is, with a place for the time.

    Raises:
        SnapshotError: The snapshot is damaged, does not fit the stack, or cannot be loaded.
    """
    snapshot = work.find(name)
    with work.progress.step(f"Reading {name}"):
        check(snapshot, work.progress)
    check_fits(snapshot, _running(work))
    saved = saved_as.format(default_name(now))
    proof = _replace(work, snapshot, saved, now)
    state = state_of(snapshot)
    lines = [f"{name} is restored: {contents_of(state)}", f"Before it  {saved}"]
    return Result(Restored(state, saved), lines, proof.errors)


def reset(work: Work, now: datetime) -> Result:
    """Empty the stack, after saving it as it is.

    Raises:
        SnapshotError: The data cannot be read or deleted.
    """
    _running(work)
    saved = RESET.format(default_name(now))
    proof = _replace(work, None, saved, now)
    lines = ["the stack is empty", f"Before it  {saved}"]
    return Result(Restored(None, saved), lines, proof.errors)


def _running(work: Work) -> Engine:
    """Return the engine of the stack, which runs, and is not within an interrupted restore."""
    engine = work.engine
    engine.check()
    check_places(work.plan)
    if _is_lost(work):
        work.progress.note("what was saved before an interrupted restore is missing")
        end(work.plan.paths)
    put_back_interrupted(work)
    if not any(status.state == RUNNING for status in engine.status()):
        work.start(prove=False)
    return engine


def _replace(work: Work, snapshot: Snapshot | None, name: str, now: datetime) -> Result:
    """Load a snapshot, or nothing, and verify the stack; put everything back if that fails.

    Args:
        work: The stack.
        snapshot: Snapshot to load.
        name: Name of the snapshot of the stack as it is.
        now: The current time, with its time zone.
    """
    paths, loaded = work.plan.paths, snapshot.name if snapshot else ""
    begin(work.plan, loaded, saved="")
    try:
        engine = _idle(work)
        # Only now, so that nothing can be stored that it does not have.
        saved = _save(work, engine, name, now)
        if snapshot:
            check_room(engine, snapshot, saved)
        begin(work.plan, loaded, saved.name)
        _load(work, engine, snapshot, saved)
        # Before the restore counts as done: an MLflow that does not start is a failure, too.
        started = work.start(prove=False)
    except BaseException as error:
        if isinstance(error, NotLoadedError):
            begin(work.plan, loaded, saved="")
        work.progress.note(f"putting everything back as it was: {_reason(error)}")
        work.progress.note(_put_back(work))
        raise
    end(paths)
    proof = verify(work.engine, work.progress)
    return replace(proof, errors=[*proof.errors, *started.errors])


def put_back_interrupted(work: Work) -> None:
    """Undo a restore that was killed, if there is one; MLflow is not started."""
    if found := restoring(work.plan.paths):
        work.progress.note(f"{found.what} was interrupted, so everything is put back as it was")
        _undo(work, found)


def _is_lost(work: Work) -> bool:
    """Tell whether the snapshot with which an interrupted restore is undone was deleted."""
    begun = restoring(work.plan.paths)
    return bool(begun and begun.saved and not (work.plan.paths.backups / begun.saved).exists())


def _undo(work: Work, begun: Restoring) -> None:
    check_same(work.plan, begun)
    if begun.saved:
        saved = work.find(begun.saved)
        _load(work, _idle(work), saved, saved)
    end(work.plan.paths)


def _put_back(work: Work) -> str:
    """Undo what was begun; return a sentence about how that went."""
    try:
        if begun := restoring(work.plan.paths):
            _undo(work, begun)
        work.start(prove=False)
    except MlflowComposeError as error:
        return f"that failed: {error.message}; mlflow-compose up tries again"
    return "everything is as it was before"


def _save(work: Work, engine: Engine, name: str, now: datetime) -> Snapshot:
    """Take a snapshot that can be put back for certain."""
    settings, top = public_values(work.plan.loaded.settings), work.plan.paths.backups
    saved = take(engine, top, name, now, settings, work.progress).snapshot
    try:
        with work.progress.step(f"Reading {name}"):
            check(saved, work.progress)
    except SnapshotError:
        # Of what it shares with the last snapshot, something is damaged there.
        remove(saved.folder)
        return take(engine, top, name, now, settings, work.progress, links=False).snapshot
    return saved


def _idle(work: Work) -> Engine:
    """Start the servers with an idle MLflow; return their engine."""
    engine = work.written(idle(work.plan))
    engine.prepare(work.progress)
    engine.start(work.progress, wait_timeout=work.wait_timeout)
    return engine


def _load(work: Work, engine: Engine, snapshot: Snapshot | None, saved: Snapshot) -> None:
    """Load a snapshot, or nothing, while MLflow is idle."""
    if snapshot is None:
        with work.progress.step("Deleting objects and tables"):
            # First what happens as a whole or not at all.
            empty_database(engine)
            load_objects(engine, None, saved, work.progress)
        return
    with work.progress.step("Loading the database"):
        load_database(engine, snapshot, saved.manifest.database.schema)
    if work.plan.loaded.settings.mlflow_auth == "basic" and admit_admin(engine):
        work.progress.note("the admin has the password in .env, not the one of the snapshot")
    with work.progress.step("Loading objects"):
        load_objects(engine, snapshot, saved, work.progress)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, MlflowComposeError) else type(error).__name__
