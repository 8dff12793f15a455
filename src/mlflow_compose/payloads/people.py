"""What the commands about people print."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class UserState:
    """A user."""

    name: str = key("Name with which the user logs in.")
    admin: bool = key("Whether the user may do everything.")


@dataclass(frozen=True)
class UserList:
    """`user list`."""

    users: Sequence[UserState] = key("Users by name.")


@dataclass(frozen=True)
class UserChanged:
    """`user add` and `user passwd`."""

    name: str = key("Name of the user.")
    password: str | None = key("The password if it was generated; it is shown only now.")


@dataclass(frozen=True)
class UserRemoved:
    """`user remove`."""

    name: str = key("Name of the user.")


@dataclass(frozen=True)
class Granted:
    """`user grant`."""

    name: str = key("Name of the user.")
    experiment: str = key("Id of the experiment.")
    workspace: str = key("Its workspace.")
    permission: str | None = key("The permission, null if it was taken away.")


@dataclass(frozen=True)
class UserImported:
    """A person of a roster who is a user now."""

    name: str = key("Name in the roster.")
    login: str = key("Name with which the user logs in.")
    password: str | None = key("The generated password; null if the user existed already.")


@dataclass(frozen=True)
class UsersImported:
    """`user import`."""

    users: Sequence[UserImported] = key("The people of the roster, in its order.")
