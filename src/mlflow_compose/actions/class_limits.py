"""What a stack cannot do while it has a class with seats: their data would be left behind."""

from collections.abc import Collection, Sequence

from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import DataElsewhereError, UsageError
from mlflow_compose.record import Record, read_record, write_record

HINT = "mlflow-compose class collect keeps what the seats have stored; class down ends the class"


def check_running(engine: Engine) -> None:
    """Make sure that the servers that a command would reach are those of the class itself.

    A copy of its folder has the same ports and passwords, and even the id in rendered files.

    Raises:
        UsageError: The class is not running.
    """
    states = {status.name: status.state for status in engine.status()}
    if any(states.get(name) != RUNNING for name in ("postgres", "s3") if engine.stack.has(name)):
        raise UsageError("the class is not running", hint="mlflow-compose class up starts it")


def check_no_seats(plan: Plan, does: str) -> None:
    """Make sure that a command would not leave the data of seats behind.

    Args:
        plan: The stack.
        does: What the command does to the stack's own data, such as "moves".

    Raises:
        UsageError: The stack has seats.
    """
    if seats := plan.loaded.settings.seats:
        raise UsageError(
            f"the stack has a class with {len(seats)} seats, and this {does} only the data of the "
            "stack itself",
            hint=HINT,
        )


def check_seats_stay(plan: Plan, changed: Sequence[str]) -> None:
    """Make sure that changed settings do not hide the data of seats.

    Args:
        plan: The stack, whose stores have moved.
        changed: Settings that locate them.

    Raises:
        DataElsewhereError: The stack has seats.
    """
    if seats := plan.loaded.settings.seats:
        names = ", ".join(changed)
        raise DataElsewhereError(
            f"{names} changed, but the data of the {len(seats)} seats is still in the former place",
            hint=f"set {names} back in .env; class down --volumes would end the class",
        )


def check_no_seat_is_lost(plan: Plan, record: Record) -> None:
    """Make sure that no seat has data that its name in CLASS_SEATS no longer leads to.

    Raises:
        DataElsewhereError: One has.
    """
    now = {seat.name for seat in plan.loaded.settings.seats}
    lost = [name for name in record.seats.get(plan.stack.site.engine, ()) if name not in now]
    if not lost:
        return
    names, verb = ", ".join(lost), "is" if len(lost) == 1 else "are"
    raise DataElsewhereError(
        f"{names} {verb} not in CLASS_SEATS any more, or CLASS_MODE is not seats, but their data "
        "is still there",
        hint=f"undo that in .env; mlflow-compose class remove {' '.join(lost)} deletes the data",
    )


def forget_seats(plan: Plan, names: Collection[str]) -> None:
    """Record that seats have no data any more."""
    record, engine = read_record(plan.paths), plan.stack.site.engine
    rest = {*record.seats.get(engine, ())} - {*names}
    write_record(record.with_seats(engine, rest), plan.paths)
