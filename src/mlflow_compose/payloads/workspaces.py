"""What the commands about workspaces print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class WorkspaceState:
    """A workspace."""

    name: str = key("Name.")
    description: str = key("Description, empty if there is none.")
    users: Mapping[str, str] = key(
        "Permission (USE or MANAGE) of each user with access, by name; admins have access to all."
    )


@dataclass(frozen=True)
class WorkspaceList:
    """`workspace list`."""

    workspaces: Sequence[WorkspaceState] = key("Workspaces by name.")


@dataclass(frozen=True)
class WorkspaceChanged:
    """`workspace add` and `workspace remove`."""

    name: str = key("Name of the workspace.")


@dataclass(frozen=True)
class WorkspaceGranted:
    """`workspace grant`."""

    name: str = key("Name of the workspace.")
    user: str = key("Name of the user.")
    permission: str | None = key("USE or MANAGE, null if all permissions were taken away.")
