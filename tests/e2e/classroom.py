"""A stack with login, published on the network, whose secrets are as odd as allowed."""

import uuid
from collections.abc import Callable
from typing import NamedTuple

from .running import Run, RunningStack
from .tracking import Api
from .waiting import free_ports

ODD = "p@ss w'or$d\"\\#% ${HOME} $$ `id` {{x}} <&>*?!~;|=:,%2F"
UNICODE = "пароль-密码-größe-🔑"
LONG = f"{ODD}{UNICODE}".ljust(200, "x")
ODD_NAME = 'o\'db "$x" \\#%'
# MLflow only supports ASCII logins.
ADMIN = ("teacher", ODD.ljust(200, "x"))


class Classroom(NamedTuple):
    """A running stack, its admin with a run, and another user without runs."""

    stack: RunningStack
    admin: Api
    user: Api
    run: Run


def open_classroom(make: Callable[..., RunningStack], engine: str) -> Classroom:
    """Return a proven stack with two users."""
    stack = make(
        # The image's initdb allows fewer characters for its first user.
        PG_USER="größe; -x" if engine == "docker" else ODD_NAME,
        PG_DATABASE=ODD_NAME,
        PG_PASSWORD=LONG,
        MINIO_SECRET_ACCESS_KEY=odd_secret(engine),
        MINIO_ROOT_PASSWORD=UNICODE,
        MLFLOW_AUTH="basic",
        MLFLOW_ADMIN_USERNAME=ADMIN[0],
        MLFLOW_ADMIN_PASSWORD=ADMIN[1],
        PGADMIN="true",
        PGADMIN_PASSWORD=ODD,
        PGADMIN_PORT=str(free_ports(1)[0]),
        STACK_BIND_ADDRESS="0.0.0.0",  # noqa: S104 - what this is about
    )
    stack.tool("up")
    admin = Api(stack.url, ADMIN)
    login = ("student", uuid.uuid4().hex)
    admin.post("users/create", username=login[0], password=login[1])
    return Classroom(stack, admin, Api(stack.url, login), stack.log_run(admin))


def odd_secret(engine: str) -> str:
    """Return the oddest secret that the S3 server supports: rclone does not support commas."""
    return ODD if engine == "docker" else ODD.replace(",", "")
