"""`workspace`: separate experiments, models and artifacts in one stack."""

import re

from mlflow_compose.actions.inside_workspace import check_enabled, check_known
from mlflow_compose.actions.users import People, check_exists
from mlflow_compose.clients import TrackingError, Users, Workspaces
from mlflow_compose.clients.workspaces import DEFAULT, DELETE, LEVELS, REFUSE, TO_DEFAULT
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import (
    WorkspaceChanged,
    WorkspaceGranted,
    WorkspaceList,
    WorkspaceState,
)
from mlflow_compose.result import Result

# `WorkspaceNameValidator` in `mlflow/store/workspace/abstract_store.py`.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61})[a-z0-9]")
RESERVED = frozenset({DEFAULT, "workspaces", "api", "ajax-api", "static-files"})
NONE = "NONE"
# Part of MLflow's answer, whose status is the one of any other error.
HOLDS_DATA = "still contains"
DATA_HINT = (
    "--with-data deletes it, too; --to-default moves it to the default workspace, which only finds "
    "its artifacts once MLFLOW_WORKSPACES is false"
)


def list_workspaces(people: People) -> Result:
    """List the workspaces, and who has access to each."""
    check_enabled(people.engine.stack)
    with people.tracking() as tracking:
        workspaces = Workspaces(tracking)
        members = workspaces.members() if people.engine.stack.login else {}
        found = [
            WorkspaceState(each.name, each.about, members.get(each.name, {}))
            for each in workspaces.all()
        ]
    return Result(WorkspaceList(found), [_line(each) for each in found])


def add_workspace(people: People, name: str, about: str) -> Result:
    """Add a workspace.

    Raises:
        UsageError: The name cannot be one, or there is such a workspace.
        UserError: The server refuses.
    """
    check_enabled(people.engine.stack)
    check_name(name)
    with people.tracking() as tracking:
        workspaces = Workspaces(tracking)
        if name in {each.name for each in workspaces.all()}:
            raise UsageError(f"there is a workspace {name} already")
        workspaces.create(name, about)
    lines = [f"added {name}", f"Next       mlflow-compose env --workspace {name}"]
    return Result(WorkspaceChanged(name), lines)


def remove_workspace(
    people: People, name: str, *, with_data: bool = False, to_default: bool = False
) -> Result:
    """Remove a workspace and the permissions in it.

    Args:
        people: Users of the stack.
        name: Name of the workspace.
        with_data: Whether to delete what it holds.
        to_default: Whether to move what it holds to the default workspace.

    Raises:
        UsageError: There is no such workspace, it is the default one, or it holds data that is
            neither to be deleted nor moved.
        UserError: The server refuses.
    """
    mode = DELETE if with_data else TO_DEFAULT if to_default else REFUSE
    check_enabled(people.engine.stack)
    if name == DEFAULT:
        raise UsageError(f"the workspace {DEFAULT} cannot be removed")
    with people.tracking() as tracking:
        workspaces = Workspaces(tracking)
        check_known(workspaces, name)
        try:
            workspaces.delete(name, mode)
        except TrackingError as error:
            if HOLDS_DATA not in str(error):
                raise
            raise UsageError(f"the workspace {name} holds data", hint=DATA_HINT) from None
    done = {
        REFUSE: f"removed {name}",
        DELETE: f"removed {name} and the data in it; mlflow-compose gc --apply frees its objects",
        TO_DEFAULT: f"removed {name}; its data is in the workspace {DEFAULT}",
    }
    return Result(WorkspaceChanged(name), [done[mode]])


def grant_workspace(people: People, name: str, user: str, permission: str) -> Result:
    """Give a user access to a workspace, or take it away.

    Args:
        people: Users of the stack.
        name: Name of the workspace.
        user: Name of the user.
        permission: One of LEVELS, or NONE.

    Raises:
        UsageError: There is no such workspace, user or permission.
        UserError: The server refuses.
    """
    wanted = permission.upper()
    if wanted not in {*LEVELS, NONE}:
        known = f"{', '.join(LEVELS)} or {NONE}"
        raise UsageError(f"the permission must be {known}, got {permission}")
    check_enabled(people.engine.stack)
    people.check_login()
    with people.tracking() as tracking:
        workspaces = Workspaces(tracking)
        check_known(workspaces, name)
        check_exists(Users(tracking), user)
        if wanted == NONE:
            workspaces.revoke(name, user)
            done = f"{user} has no permission in the workspace {name} any more"
        else:
            workspaces.grant(name, user, wanted)
            done = f"{user} has {wanted} on the workspace {name}"
    return Result(WorkspaceGranted(name, user, None if wanted == NONE else wanted), [done])


def check_name(name: str) -> None:
    """Make sure that a workspace can have this name.

    Raises:
        UsageError: It cannot.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise UsageError(
            "the name of a workspace must be 2 to 63 lowercase letters, digits and hyphens, "
            f"begin and end with a letter or digit, and not be {', '.join(sorted(RESERVED))}, "
            f"got {name!r}"
        )


def _line(found: WorkspaceState) -> str:
    members = ", ".join(f"{user} {level}" for user, level in sorted(found.users.items()))
    return "  ".join(filter(None, (found.name, found.description, members and f"({members})")))
