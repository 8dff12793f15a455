"""A class that shares one server: a login for each seat, and a workspace or an experiment."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.users import People
from mlflow_compose.classroom import own_place
from mlflow_compose.clients import Tracking, TrackingError, Users, Workspaces
from mlflow_compose.clients.workspaces import DELETE
from mlflow_compose.engines import Engine
from mlflow_compose.result import Progress
from mlflow_compose.stack.keys import seat_password

MANAGE, USE = "MANAGE", "USE"
NOT_FOUND = 404


def enroll(plan: Plan, engine: Engine, progress: Progress, seats: Sequence[str]) -> None:
    """Give each seat a login and a place that no other seat can see; keep what exists.

    Raises:
        UsageError: MLflow is not running.
        UserError: It refuses.
    """
    with progress.step(f"Adding {len(seats)} logins"), _server(engine) as server:
        known = Users(server).names()
        for number, seat in enumerate(seats, start=1):
            _add(plan, server, seat, known)
            progress.detail(f"{seat}, {number} of {len(seats)}")


def leave(plan: Plan, engine: Engine, seats: Sequence[str], *, again: bool) -> None:
    """Delete the logins of seats, and what they have stored.

    Args:
        plan: The stack.
        engine: Its engine.
        seats: Names of the seats.
        again: Whether they get the same login again, and an empty place.

    Raises:
        UsageError: MLflow is not running.
        UserError: It refuses.
    """
    with _server(engine) as server:
        known = Users(server).names()
        for seat in seats:
            _delete_place(plan, server, own_place(seat))
            if seat in known:
                Users(server).remove(seat)
            if again:
                _add(plan, server, seat, ())
    People(engine, time.sleep).forget()


@contextmanager
def _server(engine: Engine) -> Iterator[Tracking]:
    people = People(engine, time.sleep)
    people.check_login()
    with people.tracking() as tracking:
        yield tracking


def _add(plan: Plan, server: Tracking, seat: str, known: Collection[str]) -> None:
    """Create the place of a seat and its login, unless they exist.

    An interrupted start may have created one without the other.
    """
    settings, place, users = plan.loaded.settings, own_place(seat), Users(server)
    if seat not in known:
        users.add(seat, seat_password(settings, seat))
    if not settings.mlflow_workspaces:
        users.grant(seat, _experiment(server, place), MANAGE)
        return
    workspaces = Workspaces(server)
    if place not in {each.name for each in workspaces.all()}:
        workspaces.create(place)
    workspaces.grant(place, seat, USE)


def _delete_place(plan: Plan, server: Tracking, place: str) -> None:
    if not plan.loaded.settings.mlflow_workspaces:
        _delete_experiment(server, place)
        return
    workspaces = Workspaces(server)
    if place in {each.name for each in workspaces.all()}:
        workspaces.delete(place, DELETE)


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
