"""`class create --shared`: one server with a login and a workspace for each seat."""

import csv
from pathlib import Path

from requests import Response

from mlflow_compose.settings import load
from mlflow_compose.stack.keys import seat_password

from .conftest import MakeStack
from .running import RunningStack, short_in_ci
from .seats import ROSTER, SEATS
from .small import SMALLEST
from .tracking import MLFLOW, Api

FORBIDDEN, UNAUTHORIZED = 403, 401


@short_in_ci
def test_a_shared_server_must_keep_the_seats_apart(make_stack: MakeStack, tmp_path: Path) -> None:
    roster = tmp_path / "people.csv"
    roster.write_text(ROSTER, encoding="utf-8-sig")
    stack = make_stack(**SMALLEST)
    data = stack.tool("class", "create", "--shared", str(roster), "--json").data
    assert tuple(seat["seat"] for seat in data["seats"]) == SEATS
    assert {seat["url"] for seat in data["seats"]} == {stack.url}
    logins = {name: Api(stack.url, (name, password_of(stack, name))) for name in SEATS}
    runs = {name: run_in(api, name) for name, api in logins.items()}
    for name, api in logins.items():
        for other in {*SEATS} - {name}:
            path = f"{MLFLOW}/runs/get?run_id={runs[other]}"
            assert not in_workspace(api, name, "GET", path).ok
            assert in_workspace(api, other, "GET", path).status_code == FORBIDDEN
    seen = stack.tool("class", "status", "--json").data["seats"]
    assert {seat["seat"]: seat["runs"] for seat in seen} == dict.fromkeys(SEATS, 1)
    collected = stack.tool("class", "collect", "--json").data
    rows = csv.DictReader(Path(collected["runs_file"]).read_text("utf-8-sig").splitlines())
    assert {row["run_id"]: row["seat"] for row in rows} == {id_: name for name, id_ in runs.items()}
    ada, red, _ = logins.values()
    stack.tool("class", "reset", SEATS[0], "--yes")
    assert not in_workspace(ada, SEATS[0], "GET", f"{MLFLOW}/runs/get?run_id={runs[SEATS[0]]}").ok
    assert run_in(ada, SEATS[0])
    stack.tool("class", "remove", "red", "--yes")
    assert red.call("GET", f"{MLFLOW}/experiments/get?experiment_id=0").status_code == UNAUTHORIZED
    keeps_what_is_not_of_the_class(stack, tmp_path)
    stack.tool("class", "down", "--volumes", "--yes")
    assert stack.volumes() == set()


def keeps_what_is_not_of_the_class(stack: RunningStack, folder: Path) -> None:
    """A seat takes no login or workspace over that was there before, and removes none."""
    late = folder / "late.csv"
    add = ("class", "add", str(late))
    late.write_text("Admin\n", encoding="utf-8")
    stack.tool(*add, code=1).shows("the seat admin would have the login of MLflow's admin")
    stack.tool("workspace", "add", "dora", "--description", "a thesis")
    in_workspace(stack.api, "dora", "POST", f"{MLFLOW}/experiments/create", name="thesis")
    stack.tool("user", "add", "emil", "--generate")
    for name in ("dora", "emil"):
        late.write_text(f"{name}\n", encoding="utf-8")
        stack.tool(*add, code=1).shows(f"{name} already, which is not of the class")
        stack.tool("class", "reset", name, "--yes", code=1).shows("is not of the class")
        stack.tool("class", "remove", name, "--yes")
    path = f"{MLFLOW}/experiments/get-by-name?experiment_name=thesis"
    assert in_workspace(stack.api, "dora", "GET", path).ok
    users = stack.tool("user", "list", "--json").data["users"]
    assert {"admin", "emil"} <= {user["name"] for user in users}
    assert "dora" not in {user["name"] for user in users}


def in_workspace(api: Api, workspace: str, method: str, path: str, **body: object) -> Response:
    """Send a request for a workspace."""
    return api.call(method, path, headers={"X-MLFLOW-WORKSPACE": workspace}, json=body or None)


def run_in(api: Api, name: str) -> str:
    """Create an experiment of the same name in a workspace, and a run; return the run's id."""
    made = in_workspace(api, name, "POST", f"{MLFLOW}/experiments/create", name="lesson").json()
    body = {"experiment_id": made["experiment_id"], "start_time": 1}
    run = in_workspace(api, name, "POST", f"{MLFLOW}/runs/create", **body).json()
    return str(run["run"]["info"]["run_id"])


def password_of(stack: RunningStack, name: str) -> str:
    """Return the password that is handed out for a seat."""
    return seat_password(load(stack.env_file, {}).settings, name)
