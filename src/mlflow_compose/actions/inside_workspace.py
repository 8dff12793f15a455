"""Requests to the tracking server that are for one workspace."""

from mlflow_compose.clients import Tracking, Workspaces
from mlflow_compose.errors import UsageError
from mlflow_compose.stack import Stack

SWITCH_HINT = "set MLFLOW_WORKSPACES=true in .env, then mlflow-compose up"
LIST_HINT = "mlflow-compose workspace list"


def inside(tracking: Tracking, stack: Stack, workspace: str) -> Tracking:
    """Return a client whose requests are for a workspace.

    Raises:
        UsageError: The stack has no workspaces, or none of this name.
    """
    check_enabled(stack)
    check_known(Workspaces(tracking), workspace)
    return tracking.within(workspace)


def check_enabled(stack: Stack) -> None:
    """Make sure that a stack has workspaces.

    Raises:
        UsageError: It has none.
    """
    if not stack.workspaces:
        raise UsageError(
            "the stack has no workspaces: MLFLOW_WORKSPACES is false", hint=SWITCH_HINT
        )


def check_known(workspaces: Workspaces, name: str) -> None:
    """Make sure that there is a workspace of this name.

    Raises:
        UsageError: There is none.
    """
    if name not in {each.name for each in workspaces.all()}:
        raise UsageError(f"there is no workspace {name}", hint=LIST_HINT)
