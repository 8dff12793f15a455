"""`upgrade`: newer versions of MLflow and PostgreSQL, or everything back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from mlflow_compose.actions.class_limits import check_no_seats
from mlflow_compose.actions.ongoing import ongoing_migration
from mlflow_compose.actions.restore import Work, idle
from mlflow_compose.actions.undo_upgrade import finish, undo
from mlflow_compose.actions.upgrade_plan import UpgradePlan
from mlflow_compose.actions.upgrading import (
    CHANGING,
    PROVEN,
    SAVING,
    Upgrading,
    write_upgrading,
)
from mlflow_compose.actions.versions import MLFLOW, POSTGRES
from mlflow_compose.checks import verify
from mlflow_compose.data.backup import Snapshot, default_name, load_database, take
from mlflow_compose.data.upgrade import (
    Majors,
    check_names,
    check_only_mlflow,
    create_tables,
    majors,
    set_aside,
    upgrade_tables,
)
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import UpgradeError, UsageError
from mlflow_compose.machine import free_port
from mlflow_compose.payloads import Upgraded
from mlflow_compose.render import write
from mlflow_compose.result import Result
from mlflow_compose.settings import public_values

SAVED = "before-upgrade-{}"
NOTHING = "the stack already has these versions"


@dataclass(frozen=True)
class Upgrade:
    """An upgrade that runs.

    Attributes:
        move: The stack before and after it.
        work: What it works with; its plan is the old stack's.
        reloads: Whether PostgreSQL's data is dumped and loaded.
    """

    move: UpgradePlan
    work: Work
    reloads: bool

    def at(self, stage: str, saved: str) -> Upgrading:
        """Record how far the upgrade is."""
        move = self.move
        found = Upgrading(stage, saved, move.before, move.after, move.env.values, self.reloads)
        write_upgrading(move.old.paths, found)
        return found


def describe(move: UpgradePlan) -> Result:
    """Say what an upgrade would change."""
    return Result(_payload(move, None), move.lines or [NOTHING])


def upgrade(move: UpgradePlan, work: Work, now: datetime) -> Result:
    """Upgrade a stack; any failure puts everything back. After a kill, the next `up` does.

    Args:
        move: The stack before and after.
        work: What to work with; its plan is the old stack's.
        now: The current time, with its time zone.

    Raises:
        UsageError: This upgrade is not possible.
        UpgradeError: The data cannot be upgraded.
        BuildError: The new version cannot be installed.
        VerifyError: The stack does not work with the new versions.
    """
    if not move.changes:
        return describe(move)
    check_no_seats(work.plan, "upgrades")
    if ongoing_migration(work.plan.paths):
        raise UsageError("a migration has not ended", hint="mlflow-compose up ends it")
    for line in move.lines:
        work.progress.note(line)
    _start_old(work)
    run = Upgrade(move, work, _prepare(move, work))
    saved = SAVED.format(default_name(now))
    with _undone_on_failure(run, saved):
        _change(run, _save(run, saved, now))
        _prove(run)
        proven = run.at(PROVEN, saved)
        move.env.apply()
    finish(move.new, work, proven)
    started = replace(work, plan=move.new).start(prove=False)
    lines = [*move.lines, f"Before it   {saved}", *started.lines]
    return Result(_payload(move, saved), lines, started.errors)


def _payload(move: UpgradePlan, saved: str | None) -> Upgraded:
    return Upgraded(dict(move.before), dict(move.after), saved)


def _start_old(work: Work) -> None:
    """Make sure that the stack runs with its old versions."""
    engine = work.engine
    engine.check()
    if not any(status.state == RUNNING for status in engine.status()):
        work.start(prove=False)


def _prepare(move: UpgradePlan, work: Work) -> bool:
    """Build or pull what the new stack, and going back, need, while the old one runs.

    Returns whether PostgreSQL's data must be dumped and loaded.
    """
    try:
        write(move.new.rendering(), move.new.folder)
        engine = work.engine_of(move.new)
        engine.check_data()
        engine.prepare(work.progress)
        found = majors(engine) if POSTGRES in move.changes else Majors(0, 0)
    finally:
        write(move.old.rendering(), move.old.folder)
    if found.data > found.server:
        raise UsageError(
            f"PostgreSQL {found.data} cannot be downgraded to {found.server}: it cannot read the "
            "data",
            hint=f"choose an image of PostgreSQL {found.data} or newer",
        )
    work.engine.prepare(work.progress)
    if found.differ:
        check_only_mlflow(work.engine)
    return found.differ


@contextmanager
def _undone_on_failure(run: Upgrade, saved: str) -> Iterator[None]:
    current = run.at(SAVING, saved)
    try:
        yield
    except BaseException as error:
        undo(run.move, run.work, current, error)
        raise


def _save(run: Upgrade, name: str, now: datetime) -> Snapshot:
    """Take a snapshot; MLflow is stopped first, so that nothing is missing in it."""
    work, old = run.work, run.move.old
    engine = work.engine
    with work.progress.step("Stopping mlflow"):
        engine.stop_service("mlflow")
    settings = public_values(old.loaded.settings)
    return take(engine, old.paths.backups, name, now, settings, work.progress).snapshot


def _change(run: Upgrade, saved: Snapshot) -> None:
    """Bring the data to the new versions, while MLflow is idle."""
    work, progress = run.work, run.work.progress
    if run.reloads:
        work.engine.stop(progress, volumes=False)
        run.at(CHANGING, saved.name)
        set_aside(work.engine)
    engine = work.written(idle(run.move.new))
    engine.start(progress, wait_timeout=work.wait_timeout)
    if not run.reloads:
        check_names(engine, saved)
    run.at(CHANGING, saved.name)
    if run.reloads:
        with progress.step("Loading the database"):
            create_tables(engine, saved)
            load_database(engine, saved, saved.manifest.database.schema)
    if MLFLOW in run.move.changes:
        with progress.step(f"Upgrading the tables to MLflow {run.move.after[MLFLOW]}"):
            upgrade_tables(engine, saved)


def _prove(run: Upgrade) -> None:
    """Start and verify the new stack on another port: what clients log could still be undone."""
    work = run.work
    engine = work.written(run.move.new.with_settings({"mlflow_port": free_port()}))
    engine.start(work.progress, wait_timeout=work.wait_timeout)
    if errors := verify(engine, work.progress).errors:
        raise UpgradeError(
            f"the stack does not work with the new versions: {errors[0].message}",
            hint=errors[0].hint,
        )
