"""`class create --shared`: one server with a login and an experiment for each seat."""

from pathlib import Path

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
    own = {name: experiment(api, name) for name, api in logins.items()}
    for name, api in logins.items():
        created = api.post("runs/create", experiment_id=own[name], start_time=1)
        assert created["run"]["info"]["status"] == "RUNNING"
        for other in {*SEATS} - {name}:
            path = f"{MLFLOW}/experiments/get?experiment_id={own[other]}"
            assert api.call("GET", path).status_code == FORBIDDEN
    collected = stack.tool("class", "collect", "--json").data
    assert (collected["seats"], collected["runs"]) == (3, 3)
    ada, red, _ = logins.values()
    stack.tool("class", "reset", "ada-lovelace", "--yes")
    assert experiment(ada, "ada-lovelace") != own["ada-lovelace"]
    stack.tool("class", "remove", "red", "--yes")
    assert red.call("GET", f"{MLFLOW}/experiments/get?experiment_id=0").status_code == UNAUTHORIZED
    stack.tool("class", "down", "--volumes", "--yes")
    assert stack.volumes() == set()


def experiment(api: Api, name: str) -> str:
    """Return the id of a seat's experiment, as its person sees it."""
    found = api.get("experiments/get-by-name", experiment_name=name)["experiment"]
    return str(found["experiment_id"])


def password_of(stack: RunningStack, name: str) -> str:
    """Return the password that is handed out for a seat."""
    return seat_password(load(stack.env_file, {}).settings, name)
