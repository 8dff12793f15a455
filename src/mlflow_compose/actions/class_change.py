"""`class remove` and `class reset`: delete what seats have stored."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from mlflow_compose.actions.class_access import accesses, read_class, write_class
from mlflow_compose.actions.class_data import fill, seeding_snapshot
from mlflow_compose.actions.class_limits import check_running, forget_seats
from mlflow_compose.actions.class_setup import SHARED, Work, check_class, start
from mlflow_compose.actions.class_shared import leave
from mlflow_compose.actions.job_script import run_beside
from mlflow_compose.actions.new_settings import with_values
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import ClassError, UsageError
from mlflow_compose.payloads import SeatsRemoved
from mlflow_compose.people import login_of
from mlflow_compose.result import Result
from mlflow_compose.settings.seats import written
from mlflow_compose.stack.components import seats_init

# Module of seats-init that deletes what a seat has stored.
MODULE = "remove_seat.py"


def remove(work: Work, names: Sequence[str]) -> Result:
    """Remove seats with their runs and artifacts.

    Raises:
        UsageError: There is no class, or no such seat, or it is not running.
        ClassError: Something could not be deleted.
    """
    plan, engine = work.plan, work.engine_of(work.plan)
    engine.check()
    check_seats(plan, names)
    check_running(engine)
    settings = plan.loaded.settings
    rest = [seat for seat in settings.seats if seat.name not in names]
    values = {} if settings.class_mode == SHARED else {"CLASS_SEATS": written(rest)}
    # Before anything is deleted: the environment may set it.
    change, after = with_values(plan, values, "class remove")
    delete(work, engine, names, again=False)
    forget_seats(plan, names)
    change.apply()
    members = {seat: people for seat, people in read_class(plan).items() if seat not in names}
    write_class(after, members)
    started = start(replace(work, plan=after))
    lines = [f"removed {', '.join(names)}, with all runs and artifacts"]
    return Result(SeatsRemoved(names), lines, started.errors)


def reset(work: Work, names: Sequence[str], source: str | None = None) -> Result:
    """Empty seats, or put a snapshot into them: they keep their addresses and logins.

    Args:
        work: The class.
        names: Names of the seats.
        source: Name of a snapshot, or path of its folder; None to empty them.

    Raises:
        UsageError: There is no class, or no such seat, or it is not running.
        ClassError: Something could not be deleted.
        SnapshotError: The snapshot is damaged, does not fit, or cannot be loaded.
    """
    engine = work.engine_of(work.plan)
    engine.check()
    check_seats(work.plan, names)
    check_running(engine)
    snapshot = seeding_snapshot(work, source) if source else None
    if snapshot:
        fill(work, engine, names, snapshot)
    else:
        delete(work, engine, names, again=True)
    started = start(work)
    have = f"have {snapshot.name}" if snapshot else "are empty"
    has = f"has {snapshot.name}" if snapshot else "is empty"
    done = f"{', '.join(names)} {has if len(names) == 1 else have} now"
    return Result(started.data, [done, *started.lines], started.errors)


def check_seats(plan: Plan, names: Sequence[str]) -> None:
    """Make sure that seats exist.

    Raises:
        UsageError: There is no class, or no such seat.
    """
    check_class(plan)
    known = [each.seat for each in accesses(plan)]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no seat {name}", hint=meant(name, known))


def meant(name: str, known: Sequence[str]) -> str:
    """Return the hint for a name that no seat has: those that it may mean."""
    begin = [seat for seat in known if seat.startswith(login_of(name, ()))]
    if close := begin or get_close_matches(name, known):
        return f"did you mean {' or '.join(close[:3])}?"
    return "mlflow-compose class status lists the seats"


def delete(work: Work, engine: Engine, names: Sequence[str], *, again: bool) -> None:
    """Delete what seats have stored.

    Raises:
        ClassError: Something could not be deleted.
    """
    if work.plan.loaded.settings.class_mode == SHARED:
        leave(work.plan, engine, names, again=again)
        return
    running = {status.name for status in engine.status()}
    with work.progress.step(f"Deleting the data of {', '.join(names)}"):
        for name in names:
            if (service := f"seat-{name}") in running:
                engine.stop_service(service)
        outcome = run_beside(engine, seats_init.NAME, MODULE, {"seats": [*names]})
    if outcome.exit_code:
        reason = engine.stack.mask(outcome.failure).removeprefix(f"{seats_init.NAME}: ")
        raise ClassError(reason, hint="mlflow-compose class up starts what was stopped")
