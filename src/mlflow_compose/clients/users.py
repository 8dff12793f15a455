"""Users of a tracking server with login (upstream: `mlflow/server/auth/routes.py`)."""

from dataclasses import dataclass
from typing import Any

from mlflow_compose.clients.errors import TrackingError
from mlflow_compose.clients.tracking import API, NOT_FOUND, Tracking

API_3 = "/api/3.0/mlflow"
EXPERIMENT = "experiment"


@dataclass(frozen=True)
class User:
    """A user of MLflow."""

    name: str
    is_admin: bool


class Users:
    """Users of the server that a client is logged in to as an admin.

    Every method raises `TrackingError` if the server refuses.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def names(self) -> set[str]:
        """Return the names of all users."""
        return {each["username"] for each in self._tracking.get("users/list")["users"]}

    def all(self) -> list[User]:
        """Return all users by name."""
        found = self._tracking.get("users/list")["users"]
        return sorted(map(self._user, found), key=lambda user: user.name)

    def _user(self, found: dict[str, Any]) -> User:
        # MLflow 3.10 lists only names.
        whole = found if "is_admin" in found else self._one(found["username"])
        return User(whole["username"], whole["is_admin"])

    def _one(self, name: str) -> dict[str, Any]:
        user: dict[str, Any] = self._tracking.get("users/get", username=name)["user"]
        return user

    def add(self, name: str, password: str, *, is_admin: bool = False) -> None:
        """Add a user."""
        self._tracking.post("users/create", username=name, password=password)
        if is_admin:
            self._patch("users/update-admin", username=name, is_admin=True)

    def set_password(self, name: str, password: str) -> None:
        """Replace a user's password."""
        self._patch("users/update-password", username=name, password=password)

    def remove(self, name: str) -> None:
        """Remove a user, but not what the user has stored."""
        self._tracking.call("DELETE", f"{API}/users/delete", username=name)

    def grant(self, name: str, experiment_id: str, permission: str) -> None:
        """Give a user a permission on an experiment, in place of an earlier one."""
        self._permission("grant", name, experiment_id, permission=permission)

    def revoke(self, name: str, experiment_id: str) -> None:
        """Take a user's permission on an experiment away."""
        self._permission("revoke", name, experiment_id)

    def _permission(self, change: str, name: str, experiment_id: str, **more: str) -> None:
        body = {"username": name, "resource_type": EXPERIMENT, "resource_id": experiment_id, **more}
        try:
            self._tracking.call("POST", f"{API_3}/users/permissions/{change}", **body)
        except TrackingError as error:
            if error.status != NOT_FOUND:
                raise
            raise TrackingError(
                "this version of MLflow has no permissions that can be granted from outside; "
                "mlflow-compose upgrade installs a newer one",
                status=NOT_FOUND,
            ) from error

    def _patch(self, endpoint: str, **body: Any) -> None:  # noqa: ANN401 - any JSON
        self._tracking.call("PATCH", f"{API}/{endpoint}", **body)
