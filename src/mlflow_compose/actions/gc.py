"""`gc`: show what nothing uses any more, and free it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlflow_compose.actions.changed import changed
from mlflow_compose.actions.garbage_report import NOTHING, freed_line, lines_of, size
from mlflow_compose.actions.ongoing import ongoing_migration
from mlflow_compose.actions.plan import Plan
from mlflow_compose.data.garbage import Limits, Swept, sweep
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import Garbage
from mlflow_compose.record import read_record
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack.stores import Stores

# What is being uploaded may be an orphan for a moment.
ORPHAN_GRACE = timedelta(hours=24)
SHARED = (
    "orphans are kept: another MLflow server may use the external bucket; "
    "--unshared-bucket says that none does"
)
FOREIGN = (
    "orphans are kept: the database refers to none of the objects, so these may be of another one"
)
APPLY = "mlflow-compose gc --apply frees what is deleted, and the orphans"


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        older_than: How long ago something must have been deleted.
        unshared_bucket: Whether no other MLflow server uses an external bucket.
    """

    older_than: timedelta
    unshared_bucket: bool = False

    def frees_orphans(self, stores: Stores) -> bool:
        """Tell whether orphans can only be this stack's."""
        return self.unshared_bucket or not stores.artifacts.external

    def limits(self, now: datetime) -> Limits:
        """Return what is too young at a moment."""
        return Limits(now - self.older_than, now - ORPHAN_GRACE)


def look(plan: Plan, engine: Engine, progress: Progress, wish: Wish, now: datetime) -> Garbage:
    """Return what nothing uses any more, without changing anything.

    Raises:
        UsageError: The stack is not running, or its settings name other stores than its own.
        StoreError: The database or the objects cannot be read.
    """
    _check(plan, engine)
    with progress.step("Counting the artifacts"):
        found = sweep(engine, wish.limits(now), progress, apply=False)
    return _garbage(found, engine, wish)


def shown(found: Garbage) -> Result:
    """Return the result of `gc` without `--apply`."""
    if not _what_goes(found):
        return Result(found, [*lines_of(found), "", NOTHING])
    return Result(found, lines_of(found), on_terminal=[APPLY])


def question(found: Garbage, name: str) -> str:
    """Return the question that must be answered before anything is freed, empty if nothing is."""
    what = _what_goes(found)
    return f"Delete {what} of the stack {name} for good?" if what else ""


def gc(  # noqa: PLR0913, PLR0917 - independent values
    plan: Plan,
    engine: Engine,
    progress: Progress,
    wish: Wish,
    now: datetime,
    before: Callable[[], str] | None,
) -> Result:
    """Free what nothing uses any more.

    Args:
        plan: The stack.
        engine: Its engine.
        progress: Receiver of progress.
        wish: What is asked for.
        now: Current time.
        before: Makes a backup, and returns its name; None to make none.

    Raises:
        UsageError: The stack is not running, or its settings name other stores than its own.
        StoreError: Not everything could be freed; the same command continues.
    """
    _check(plan, engine)
    backup = before() if before else None
    with progress.step("Freeing what nothing uses"):
        found = sweep(
            engine,
            wish.limits(now),
            progress,
            apply=True,
            with_orphans=wish.frees_orphans(engine.stack.stores),
        )
    data = _garbage(found, engine, wish, backup, applied=True)
    return Result(data, [*lines_of(data), "", freed_line(data)])


def _check(plan: Plan, engine: Engine) -> None:
    """Make sure that the database and the objects belong together, and can be reached."""
    engine.check()
    if ongoing_migration(plan.paths):
        raise UsageError(
            "a migration has not ended, so nothing can be freed yet",
            hint="mlflow-compose up finishes it or restores the stack",
        )
    # With another database, all objects would be orphans.
    if change := changed(plan, read_record(plan.paths)):
        names = ", ".join(f"{name} was {old or 'empty'}" for name, (old, _) in change.names.items())
        raise UsageError(
            f"the settings name other stores than the ones that the stack runs on ({names})",
            hint="set them back, or mlflow-compose up",
        )
    engine.check_data()
    if not any(status.state == RUNNING for status in engine.status()):
        raise UsageError("the stack is not running", hint="mlflow-compose up starts it")


def _garbage(
    found: Swept, engine: Engine, wish: Wish, backup: str | None = None, *, applied: bool = False
) -> Garbage:
    why = FOREIGN if found.is_foreign else None
    if not wish.frees_orphans(engine.stack.stores):
        why = SHARED
    return Garbage(
        applied=applied,
        groups=found.groups,
        freed=found.freed,
        backup=backup,
        orphans_kept=why,
        is_versioned=found.is_versioned,
        missing=found.missing,
        experiments=sorted(found.experiments, key=lambda each: (-each.bytes, each.name)),
    )


def _what_goes(found: Garbage) -> str:
    """Say what can be freed, empty if nothing can."""
    names = {"deleted_runs": "run", "deleted_models": "logged model"}
    names["deleted_experiments"] = "experiment"
    counts = {word: found.groups[name].count for name, word in names.items()}
    freed = [found.groups[name] for name in names]
    if "orphans" in found.groups and not found.orphans_kept:
        counts["orphan"] = found.groups["orphans"].objects
        freed.append(found.groups["orphans"])
    parts = [
        f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items() if count
    ]
    total = size(sum(group.bytes for group in freed))
    return f"{', '.join(parts)} ({total})" if parts else ""
