"""A class that shares one server: a login for each seat, and a workspace or an experiment."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.users import People
from mlflow_compose.classroom import own_place
from mlflow_compose.clients import Tracking, TrackingError, Users, Workspaces
from mlflow_compose.clients.trust import trusted
from mlflow_compose.clients.workspaces import DELETE
from mlflow_compose.engines import Engine
from mlflow_compose.errors import ClassError
from mlflow_compose.result import Progress
from mlflow_compose.stack.keys import seat_password

MANAGE, USE = "MANAGE", "USE"
UNAUTHORIZED, NOT_FOUND = 401, 404
# Description of the workspaces of seats, which their people cannot change: others are not deleted.
ABOUT = "Seat of the class"


def enroll(plan: Plan, engine: Engine, progress: Progress, seats: Sequence[str]) -> None:
    """Give each seat a login and a place that no other seat can see; keep what exists.

    Raises:
        UsageError: MLflow is not running.
        UserError: It refuses.
        ClassError: The name of a seat is that of a login or a place that is not of the class.
    """
    with progress.step(f"Adding {len(seats)} logins"), _server(engine) as server:
        known = Users(server).names()
        _check_own(plan, server, seats)
        for number, seat in enumerate(seats, start=1):
            _add(plan, server, seat, is_known=seat in known)
            progress.detail(f"{seat}, {number} of {len(seats)}")


def leave(plan: Plan, engine: Engine, seats: Sequence[str], *, again: bool) -> None:
    """Delete the logins of seats, and what they have stored; leave alone what is not theirs.

    Args:
        plan: The stack.
        engine: Its engine.
        seats: Names of the seats.
        again: Whether they get the same login again, and an empty place.

    Raises:
        UsageError: MLflow is not running.
        UserError: It refuses.
        ClassError: What they should get again is not of the class.
    """
    with _server(engine) as server:
        if again:
            _check_own(plan, server, seats)
        foreign, known = _foreign(plan, server, seats), Users(server).names()
        for seat in seats:
            if seat in foreign:
                continue
            _delete_place(plan, server, own_place(seat))
            if seat in known:
                Users(server).remove(seat)
            if again:
                _add(plan, server, seat, is_known=False)
    People(engine, time.sleep).forget()


def check_logins(plan: Plan, seats: Sequence[str]) -> None:
    """Make sure that no seat would have the login of MLflow's admin.

    Raises:
        ClassError: One would.
    """
    if (admin := plan.loaded.settings.mlflow_admin_username) in seats:
        raise ClassError(
            f"the seat {admin} would have the login of MLflow's admin",
            hint="set another MLFLOW_ADMIN_USERNAME in .env, or another name in the roster",
        )


@contextmanager
def _server(engine: Engine) -> Iterator[Tracking]:
    people = People(engine, time.sleep)
    people.check_login()
    with people.tracking() as tracking:
        yield tracking


def _check_own(plan: Plan, server: Tracking, seats: Sequence[str]) -> None:
    """Make sure that logins and places of seats, where they exist, are of the class."""
    for seat, what in _foreign(plan, server, seats).items():
        raise ClassError(
            f"there is {what} already, which is not of the class",
            hint=f"mlflow-compose class remove {seat}, which leaves it alone; then mlflow-compose "
            "class add with another name",
        )


def _foreign(plan: Plan, server: Tracking, seats: Sequence[str]) -> dict[str, str]:
    """Return what exists under the names of seats and is not of the class, by seat."""
    settings, known, found = plan.loaded.settings, Users(server).names(), {}
    has_workspaces = settings.mlflow_workspaces
    workspaces = (
        {each.name: each.about for each in Workspaces(server).all()} if has_workspaces else {}
    )
    for seat in seats:
        about = workspaces.get(own_place(seat))
        if seat == settings.mlflow_admin_username:
            found[seat] = f"the admin {seat}"
        elif about not in {None, ABOUT}:
            found[seat] = f"a workspace {own_place(seat)}"
        elif about is None and seat in known and not _logs_in(plan, seat):
            found[seat] = f"a user {seat}"
        elif not has_workspaces and seat not in known and _found(server, own_place(seat)):
            # The login of a seat is created first.
            found[seat] = f"an experiment {own_place(seat)}"
    return found


def _logs_in(plan: Plan, seat: str) -> bool:
    """Tell whether the password that is handed out for a seat is the one of its login."""
    login = (seat, seat_password(plan.loaded.settings, seat))
    stack = plan.stack
    try:
        Tracking(stack.urls["mlflow"], login, verify=trusted(stack)).get("users/get", username=seat)
    except TrackingError as error:
        return error.status != UNAUTHORIZED
    return True


def _add(plan: Plan, server: Tracking, seat: str, *, is_known: bool) -> None:
    """Create the place of a seat and its login, unless they exist.

    An interrupted start may have created one without the other.
    """
    settings, place, users = plan.loaded.settings, own_place(seat), Users(server)
    if not is_known:
        users.add(seat, seat_password(settings, seat))
    if not settings.mlflow_workspaces:
        users.grant(seat, _experiment(server, place), MANAGE)
        return
    workspaces = Workspaces(server)
    if place not in {each.name for each in workspaces.all()}:
        workspaces.create(place, ABOUT)
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
