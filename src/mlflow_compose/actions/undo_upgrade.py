"""Undo an upgrade that failed or was interrupted, or finish one that had succeeded."""

from dataclasses import replace
from pathlib import Path

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.restore import Work, idle
from mlflow_compose.actions.restoring import check_places
from mlflow_compose.actions.upgrade_plan import UpgradePlan
from mlflow_compose.actions.upgrading import (
    CHANGING,
    PROVEN,
    SAVING,
    Upgrading,
    end,
    upgrading,
    write_upgrading,
)
from mlflow_compose.actions.versions import Versions, record_versions
from mlflow_compose.data.backup import load_database, load_objects
from mlflow_compose.data.upgrade import delete_old, put_back
from mlflow_compose.errors import MlflowComposeError

# A second Ctrl-C also ends the commands that put everything back.
TRIES = 3


def settle(work: Work) -> None:
    """Undo or finish an upgrade that was killed, if there is one."""
    paths = work.plan.paths
    if not (found := upgrading(paths)):
        return
    # What is put back must not replace the data of other stores.
    check_places(work.plan)
    new = _with(work.plan, found.new)
    if found.stage == PROVEN:
        work.progress.note("an upgrade was interrupted at its end; it is finished now")
        _env_change(paths.env_file, found).apply()
        finish(new, work, found)
        return
    work.progress.note("an upgrade was interrupted; everything is put back as it was")
    old = replace(work, plan=_with(work.plan, found.old))
    _restore(new, old, found)
    end(paths)


def finish(new: Plan, work: Work, found: Upgrading) -> None:
    """Record that the stack has its new versions, and delete what was set aside."""
    record_versions(new)
    if found.reloads:
        delete_old(work.written(new))
    end(new.paths)


def undo(move: UpgradePlan, work: Work, began: Upgrading, error: BaseException) -> None:
    """Put everything back as it was, and say how that went.

    Args:
        move: The stack before and after.
        work: What to work with; its plan is the old stack's.
        began: The upgrade, as it began.
        error: Why it ended.
    """
    reason = error.message if isinstance(error, MlflowComposeError) else type(error).__name__
    work.progress.note(f"putting everything back as it was: {reason}")
    interrupted = isinstance(error, KeyboardInterrupt)
    why = ""
    for _ in range(TRIES if interrupted else 1):
        try:
            if interrupted:
                # Docker may still be finishing the interrupted command's request, such as a start.
                work.engine.stop(work.progress, volumes=False)
            _undo(move, work, began)
        except MlflowComposeError as failure:
            why = failure.message
        else:
            work.progress.note("everything is as it was before")
            return
    work.progress.note(f"that failed: {why}; mlflow-compose up tries again")


def _undo(move: UpgradePlan, work: Work, began: Upgrading) -> None:
    paths = work.plan.paths
    found = upgrading(paths) or began
    # Until the next line, a kill makes `up` finish the upgrade; from then on, undo it.
    move.env.undo()
    if found.stage == PROVEN:
        found = replace(found, stage=CHANGING)
        write_upgrading(paths, found)
    _restore(move.new, work, found)
    end(paths)
    work.start(prove=False)


def _restore(new: Plan, work: Work, found: Upgrading) -> None:
    """Make the data that of the snapshot, if it has changed."""
    if found.stage == SAVING:
        return
    progress, saved = work.progress, work.find(found.saved)
    if found.reloads:
        engine = work.written(work.plan)
        engine.stop(progress, volumes=False)
        put_back(engine)
    # The new MLflow knows which tables it has added.
    engine = work.written(idle(work.plan if found.reloads else new))
    engine.prepare(progress)
    engine.start(progress, wait_timeout=work.wait_timeout)
    if not found.reloads:
        with progress.step("Loading the database"):
            load_database(engine, saved, saved.manifest.database.schema)
    with progress.step("Loading objects"):
        load_objects(engine, saved, saved, progress)


def _with(plan: Plan, versions: Versions) -> Plan:
    return plan.with_settings({name.lower(): value for name, value in versions.items()})


def _env_change(path: Path, found: Upgrading) -> EnvChange:
    text = path.read_bytes().decode()
    return EnvChange(path, text, found.values, during="the upgrade")
