"""`user`: who may log in, and what they may do."""

import csv
import uuid
from pathlib import Path

import pytest

from .classroom import Classroom
from .running import RunningStack, short_in_ci
from .tool import SCRIPT, run
from .tracking import Api

UNAUTHORIZED, FORBIDDEN = 401, 403


def login(classroom: Classroom, name: str, password: str) -> Api:
    """Return a client that is logged in."""
    return Api(classroom.stack.url, (name, password))


def status(api: Api, experiment: str) -> int:
    """Return the status with which the server answers who reads an experiment."""
    path = f"/api/2.0/mlflow/experiments/get?experiment_id={experiment}"
    return api.call("GET", path).status_code


@short_in_ci
def test_a_user_must_log_in_until_removed(classroom: Classroom) -> None:
    stack, experiment = classroom.stack, classroom.run.experiment_id
    name = f"ada-{uuid.uuid4().hex[:6]}"
    password = stack.tool("user", "add", name, "--generate", "--json").data["password"]
    ada = login(classroom, name, password)
    assert status(ada, experiment) == FORBIDDEN
    stack.tool("user", "grant", name, experiment, "read")
    assert status(ada, experiment) == 200
    assert {"name": name, "admin": False} in stack.tool("user", "list", "--json").data["users"]
    command = ("user", "passwd", name, "--password-stdin")
    changed = run(str(SCRIPT), *command, folder=stack.folder, given=f"{password}2\n")
    assert password not in changed.out + changed.err
    # With each process of the server, though the old one was accepted a moment ago.
    for _ in range(10):
        assert status(ada, experiment) == UNAUTHORIZED
    ada = login(classroom, name, f"{password}2")
    assert status(ada, experiment) == 200
    stack.tool("user", "grant", name, experiment, "NONE")
    assert status(ada, experiment) == FORBIDDEN
    # A name that is the id of another one's experiment.
    classroom.user.post("experiments/create", name=experiment)
    stack.tool("user", "grant", name, experiment, "READ", code=2).shows("the id of another one")
    assert status(ada, experiment) == FORBIDDEN
    stack.tool("user", "remove", name, "--yes")
    assert status(ada, experiment) == UNAUTHORIZED


def test_a_roster_must_become_users_with_passwords_of_their_own(
    classroom: Classroom, tmp_path: Path
) -> None:
    stack, team = classroom.stack, uuid.uuid4().hex[:6]
    roster = tmp_path / "people.csv"
    names = [f"Zoë {team}", f"Zoe {team}", f"李 {team}"]
    roster.write_text("\r\n".join(["Name;Email", *names]), encoding="utf-8-sig")
    output = tmp_path / "passwords.csv"
    stack.tool("user", "import", str(roster), "--output", str(output))
    assert output.stat().st_mode & 0o777 == 0o600
    rows = [*csv.DictReader(output.read_text(encoding="utf-8").splitlines())]
    assert len({row["password"] for row in rows}) == len(names)
    for row in rows:
        api = login(classroom, row["login"], row["password"])
        assert api.get("users/get", username=row["login"])["user"]["is_admin"] is False
    again = stack.tool("user", "import", str(roster), "--json").data["users"]
    assert [each["password"] for each in again] == [None] * len(names)
    assert [each["name"] for each in again] == names
    stack.tool("user", "import", str(roster), "--output", str(output), code=2)
    assert len(rows) == len(names)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["add", "student", "--generate"], "there is a user student already"),
        (["add", "a:b", "--generate"], "must not contain a colon"),
        (["passwd", "nobody", "--generate"], "there is no user nobody"),
        (["remove", "teacher", "--yes"], "teacher is MLFLOW_ADMIN_USERNAME"),
        (["grant", "student", "no such", "READ"], "there is no experiment no such"),
        (["grant", "student", "0", "OWN"], "must be READ, USE, EDIT, MANAGE or NONE, got OWN"),
    ],
)
def test_what_cannot_be_done_must_be_said(
    classroom: Classroom, command: list[str], said: str
) -> None:
    users = classroom.stack.tool("user", "list", "--json").data
    errors = classroom.stack.tool("user", *command, "--json", code=2).envelope["errors"]
    assert said in errors[0]["message"]
    assert classroom.stack.tool("user", "list", "--json").data == users


def test_a_stack_without_login_must_have_no_users(shared: RunningStack) -> None:
    shared.tool("user", "list", code=2).shows("MLFLOW_AUTH is none", "set MLFLOW_AUTH=basic")
