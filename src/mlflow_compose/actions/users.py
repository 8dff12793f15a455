"""`user`: who may log in to the stack, and what they may do."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mlflow_compose.actions.inside_workspace import inside
from mlflow_compose.checks import check_owner
from mlflow_compose.clients import Tracking, TrackingError, Unreachable, Users
from mlflow_compose.clients.workspaces import DEFAULT
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UsageError, UserError
from mlflow_compose.payloads import (
    Granted,
    UserChanged,
    UserList,
    UserRemoved,
    UserState,
)
from mlflow_compose.people import new_password
from mlflow_compose.result import Result
from mlflow_compose.settings.validators import login_name
from mlflow_compose.stack import LOGIN_CACHE_SECONDS

PERMISSIONS = ("READ", "USE", "EDIT", "MANAGE", "NONE")
NONE = "NONE"
NOT_FOUND, INVALID = 404, 400
LOGIN_HINT = "set MLFLOW_AUTH=basic in .env, then mlflow-compose up"
EXISTS_HINT = "mlflow-compose user passwd changes the password of a user"
ADMIN_HINT = "set MLFLOW_ADMIN_PASSWORD in .env to the new password, then mlflow-compose up"


@dataclass(frozen=True)
class People:
    """The users of a running stack.

    Attributes:
        engine: Engine of the stack.
        wait: Waits for a number of seconds.
    """

    engine: Engine
    wait: Callable[[float], None]

    @contextmanager
    def users(self, workspace: str = "") -> Iterator[Users]:
        """Provide the users of the stack's own server, with their permissions in a workspace.

        Raises:
            UsageError: The stack has no login, does not run, or has no such workspace.
            UserError: The server refuses.
        """
        self.check_login()
        with self.tracking(workspace) as tracking:
            yield Users(tracking)

    def check_login(self) -> None:
        """Make sure that the stack has users.

        Raises:
            UsageError: It has none.
        """
        if self.engine.stack.login is None:
            raise UsageError("the stack has no users: MLFLOW_AUTH is none", hint=LOGIN_HINT)

    @contextmanager
    def tracking(self, workspace: str = "") -> Iterator[Tracking]:
        """Provide the stack's own server, in a workspace.

        Raises:
            UsageError: The stack does not run, or has no such workspace.
            UserError: The server refuses.
        """
        stack = self.engine.stack
        try:
            with self.engine.reachable():
                check_owner(self.engine)
                found = Tracking.of(stack)
                yield inside(found, stack, workspace) if workspace else found
        except Unreachable:
            raise UsageError("MLflow is not running", hint="mlflow-compose up starts it") from None
        except TrackingError as error:
            raise UserError(
                stack.mask(str(error)), hint="mlflow-compose verify finds the cause"
            ) from None

    @property
    def admin(self) -> str:
        """Name of the admin in the settings."""
        login = self.engine.stack.login
        return login[0] if login else ""

    def forget(self) -> None:
        """Wait until no process of the server accepts a former password.

        An interrupt only ends the wait: the new password, which is not kept, must still be shown.
        """
        with suppress(KeyboardInterrupt):
            self.wait(LOGIN_CACHE_SECONDS)


def list_users(people: People) -> Result:
    """List the users."""
    with people.users() as users:
        found = [UserState(user.name, user.is_admin) for user in users.all()]
    return Result(
        UserList(found), [f"{user.name}{'  (admin)' if user.admin else ''}" for user in found]
    )


def add_user(people: People, name: str, password: str | None, *, is_admin: bool) -> Result:
    """Add a user.

    Args:
        people: Users of the stack.
        name: Name with which the user logs in.
        password: Password, None for a random one.
        is_admin: Whether the user may do everything.

    Raises:
        UsageError: The name cannot be one, or there is such a user.
        UserError: The server refuses.
    """
    _check_name(name)
    chosen = password or new_password(secrets.choice)
    with people.users() as users:
        if name in users.names():
            raise UsageError(f"there is a user {name} already", hint=EXISTS_HINT)
        users.add(name, chosen, is_admin=is_admin)
    return _changed(f"added {name}", name, None if password else chosen)


def set_password(people: People, name: str, password: str | None) -> Result:
    """Replace a password; when this returns, the old one is accepted nowhere.

    Raises:
        UsageError: There is no such user.
        UserError: The server refuses.
    """
    chosen = password or new_password(secrets.choice)
    with people.users() as users:
        check_exists(users, name)
        users.set_password(name, chosen)
    people.forget()
    result = _changed(f"changed the password of {name}", name, None if password else chosen)
    if name == people.admin:
        return Result(result.data, [*result.lines, f"Next       {ADMIN_HINT}"])
    return result


def remove_user(people: People, name: str) -> Result:
    """Remove a user; runs and models stay.

    Raises:
        UsageError: There is no such user, or it is the admin of the settings.
        UserError: The server refuses.
    """
    if name == people.admin:
        raise UsageError(
            f"{name} is MLFLOW_ADMIN_USERNAME, with which this tool logs in",
            hint="set MLFLOW_ADMIN_USERNAME and MLFLOW_ADMIN_PASSWORD in .env to another admin",
        )
    with people.users() as users:
        check_exists(users, name)
        users.remove(name)
    people.forget()
    return Result(UserRemoved(name), [f"removed {name}; runs and models stay"])


def grant(
    people: People, name: str, experiment: str, permission: str, workspace: str = ""
) -> Result:
    """Give a user a permission on an experiment, or take it away.

    Args:
        people: Users of the stack.
        name: Name of the user.
        experiment: Name or id of the experiment.
        permission: One of PERMISSIONS.
        workspace: Workspace of the experiment, empty for the default one.

    Raises:
        UsageError: There is no such user, workspace, experiment or permission.
        UserError: The server refuses.
    """
    wanted = permission.upper()
    if wanted not in PERMISSIONS:
        raise UsageError(
            f"the permission must be {', '.join(PERMISSIONS[:-1])} or {NONE}, got {permission}"
        )
    people.check_login()
    with people.tracking(workspace) as tracking:
        users = Users(tracking)
        check_exists(users, name)
        found = _experiment(tracking, experiment)
        if wanted == NONE:
            users.revoke(name, found)
            done = f"{name} has no permission on experiment {found} ({experiment}) any more"
        else:
            users.grant(name, found, wanted)
            done = f"{name} has {wanted} on experiment {found} ({experiment})"
    granted = None if wanted == NONE else wanted
    return Result(Granted(name, found, workspace or DEFAULT, granted), [done])


def _experiment(tracking: Tracking, name: str) -> str:
    """Return the id of an experiment."""
    found = set()
    for endpoint, parameters in (
        ("experiments/get-by-name", {"experiment_name": name}),
        ("experiments/get", {"experiment_id": name}),
    ):
        try:
            found.add(str(tracking.get(endpoint, **parameters)["experiment"]["experiment_id"]))
        except TrackingError as error:
            if error.status not in {NOT_FOUND, INVALID}:
                raise
    if len(found) > 1:
        # Users choose names, also ones that are another's id.
        raise UsageError(
            f"{name} is the name of one experiment and the id of another one",
            hint="name the id of the one, or the name of the other",
        )
    if not found:
        hint = "mlflow-compose sql runs-per-experiment lists them"
        raise UsageError(f"there is no experiment {name}", hint=hint)
    return found.pop()


def check_exists(users: Users, name: str) -> None:
    """Make sure that there is a user of this name.

    Raises:
        UsageError: There is none.
    """
    if name not in users.names():
        raise UsageError(f"there is no user {name}", hint="mlflow-compose user list")


def _check_name(name: str) -> None:
    try:
        login_name(name)
    except ValueError as error:
        raise UsageError(f"the name of a user {error}, got {name!r}") from None


def _changed(done: str, name: str, generated: str | None) -> Result:
    shown = [f"password   {generated}   (not shown again)"] if generated else []
    return Result(UserChanged(name, generated), [done, *shown])
