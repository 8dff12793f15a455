"""A class that shares one server: a login and an experiment for each seat."""

import time
from collections.abc import Sequence

from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.users import People
from mlflow_compose.clients import Tracking, TrackingError
from mlflow_compose.engines import Engine
from mlflow_compose.result import Progress
from mlflow_compose.stack.keys import seat_password

MANAGE = "MANAGE"
NOT_FOUND = 404


def enroll(plan: Plan, engine: Engine, progress: Progress, seats: Sequence[str]) -> None:
    """Give each seat a login and an experiment that no other seat can see; keep what exists.

    Raises:
        UsageError: MLflow is not running.
        UserError: It refuses.
    """
    people = People(engine, time.sleep)
    with progress.step(f"Adding {len(seats)} logins"), people.users() as users:
        tracking, known = _tracking(engine), users.names()
        for number, seat in enumerate(seats, start=1):
            if seat not in known:
                users.add(seat, seat_password(plan.loaded.settings, seat))
            users.grant(seat, _experiment(tracking, seat), MANAGE)
            progress.detail(f"{seat}, {number} of {len(seats)}")


def leave(plan: Plan, engine: Engine, seats: Sequence[str], *, again: bool) -> None:
    """Delete the experiments and the logins of seats.

    Args:
        plan: The stack.
        engine: Its engine.
        seats: Names of the seats.
        again: Whether they get new ones: the same login, and an empty experiment.

    Raises:
        UsageError: MLflow is not running.
        UserError: It refuses.
    """
    people = People(engine, time.sleep)
    with people.users() as users:
        tracking, known = _tracking(engine), users.names()
        for seat in seats:
            _delete_experiment(tracking, seat)
            if seat in known:
                users.remove(seat)
            if again:
                users.add(seat, seat_password(plan.loaded.settings, seat))
                users.grant(seat, _experiment(tracking, seat), MANAGE)
    people.forget()


def _tracking(engine: Engine) -> Tracking:
    return Tracking.of(engine.stack)


def _experiment(tracking: Tracking, name: str) -> str:
    """Return the id of an experiment, created if it does not exist."""
    return _found(tracking, name) or str(
        tracking.post("experiments/create", name=name)["experiment_id"]
    )


def _found(tracking: Tracking, name: str) -> str:
    """Return the id of an experiment, empty if it does not exist."""
    try:
        found = tracking.get("experiments/get-by-name", experiment_name=name)["experiment"]
    except TrackingError as error:
        if error.status == NOT_FOUND:
            return ""
        raise
    return str(found["experiment_id"])


def _delete_experiment(tracking: Tracking, name: str) -> None:
    """Delete an experiment, and free its name: a deleted one keeps it."""
    if found := _found(tracking, name):
        tracking.post("experiments/update", experiment_id=found, new_name=f"{name} ({found})")
        tracking.post("experiments/delete", experiment_id=found)
