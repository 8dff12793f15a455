"""Workspaces of a tracking server, and who has access to them.

Upstream: `mlflow/server/auth/permissions.py` and `routes.py`.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlflow_compose.clients.errors import TrackingError
from mlflow_compose.clients.tracking import NOT_FOUND, Tracking

API_3 = "/api/3.0/mlflow"
DEFAULT = "default"
# The permissions on a workspace, the higher one last.
LEVELS = ("USE", "MANAGE")
WORKSPACE, ALL = "workspace", "*"
# What becomes of the data in a workspace that is deleted.
REFUSE, DELETE, TO_DEFAULT = "RESTRICT", "CASCADE", "SET_DEFAULT"
Json = dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """A workspace, with its description."""

    name: str
    about: str


class Workspaces:
    """Workspaces of the server that a client is logged in to as an admin.

    Every method raises `TrackingError` if the server refuses.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def all(self) -> list[Workspace]:
        """Return the workspaces that the login may see, by name."""
        found = self._get("workspaces").get("workspaces", ())
        return [Workspace(each["name"], each.get("description", "")) for each in found]

    def create(self, name: str, about: str = "") -> None:
        """Create a workspace."""
        self._post("workspaces", name=name, description=about)

    def delete(self, name: str, mode: str = REFUSE) -> None:
        """Delete a workspace and the permissions in it.

        Args:
            name: Name of the workspace.
            mode: REFUSE if it holds data; DELETE what it holds, except for objects, which then
                belong to nothing; or move it TO_DEFAULT.
        """
        path = f"{API_3}/workspaces/{quote(name, safe='')}?mode={mode}"
        self._tracking.call("DELETE", path)

    def members(self) -> dict[str, dict[str, str]]:
        """Return the users with access to workspaces: their permission by name, by workspace."""
        found: dict[str, dict[str, str]] = {}
        for user in self._tracking.get("users/list")["users"]:
            for level in LEVELS:
                for role in user["roles"]:
                    if level_of(role) == level:
                        found.setdefault(role["workspace"], {})[user["username"]] = level
        return found

    def grant(self, name: str, user: str, level: str) -> None:
        """Give a user a permission on a workspace, in place of an earlier one.

        Args:
            name: Name of the workspace.
            user: Name of the user.
            level: USE to create experiments and models, and to do everything with these; MANAGE to
                do everything with everything in the workspace, and to give others access.
        """
        roles = [role for role in self._roles_of(user) if role["workspace"] == name]
        for role in roles:
            if level_of(role) not in {"", level}:
                self._unassign(user, role)
        if not any(level_of(role) == level for role in roles):
            self._post("roles/assign", username=user, role_id=self._role(name, level))

    def revoke(self, name: str, user: str) -> None:
        """Take all permissions of a user in a workspace away, also those on own experiments."""
        for role in self._roles_of(user):
            if role["workspace"] == name:
                self._unassign(user, role)

    def _roles_of(self, user: str) -> list[Json]:
        roles: list[Json] = self._get(f"users/roles/list?username={quote(user, safe='')}")["roles"]
        return roles

    def _role(self, name: str, level: str) -> int:
        """Return the id of the role that has a permission on a workspace, a new one if need be."""
        for role in self._get(f"roles/list?workspace={quote(name, safe='')}")["roles"]:
            # MLflow creates two with a workspace; its own roles of one user begin like this.
            if level_of(role) == level and not role["name"].startswith("__user_"):
                return int(role["id"])
        created = self._post("roles/create", name=f"workspace-{level.lower()}", workspace=name)
        number = int(created["role"]["id"])
        grant = {"resource_type": WORKSPACE, "resource_pattern": ALL, "permission": level}
        self._post("roles/permissions/add", role_id=number, **grant)
        return number

    def _unassign(self, user: str, role: Json) -> None:
        try:
            self._tracking.call(
                "DELETE", f"{API_3}/roles/unassign", username=user, role_id=role["id"]
            )
        except TrackingError as error:
            # Another command was faster.
            if error.status != NOT_FOUND:
                raise

    def _get(self, path: str) -> Json:
        return self._tracking.call("GET", f"{API_3}/{path}")

    def _post(self, path: str, **body: object) -> Json:
        return self._tracking.call("POST", f"{API_3}/{path}", **body)


def level_of(role: Json) -> str:
    """Return the permission that a role gives on its whole workspace, empty for none."""
    found = {
        each["permission"]
        for each in role["permissions"]
        if (each["resource_type"], each["resource_pattern"]) == (WORKSPACE, ALL)
    }
    return next((level for level in reversed(LEVELS) if level in found), "")
