"""A class behind TLS on one port, from another machine: each seat has a path."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .browser import require_browser
from .conftest import MakeStack
from .handed_out import HandedOut
from .network import OtherMachine, other_machine
from .running import RunningStack, left_to_soak, short_in_ci
from .seats import prepared
from .security import lan_address
from .test_tls import REFUSED, ca, curl, offset, pin
from .tool import CHECKOUT
from .waiting import free_ports

OK, FOUND, UNAUTHORIZED, NOT_FOUND = 200, 302, 401, 404
READ = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# What a participant's program does; it prints the id of the run.
LESSON = """
import sys, mlflow
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text(sys.argv[1], "note.txt")
artifacts = [each.path for each in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
assert artifacts == ["note.txt"]
assert mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt") == sys.argv[1]
print(run.info.run_id)
"""


class Room(NamedTuple):
    """A class on one port, and another machine in the room."""

    stack: RunningStack
    machine: OtherMachine
    port: int

    @property
    def origin(self) -> str:
        """The beginning of all URLs."""
        return f"https://{lan_address()}:{self.port}"

    def variables(self, seat: str) -> dict[str, str]:
        """Return what a seat's hand-out tells its client to set."""
        return {**HandedOut(self.handout(seat)).variables}

    def handout(self, seat: str) -> Path:
        """Return the folder that the seat's people get."""
        return self.stack.folder / "class" / "handouts" / seat

    def curl(self, path: str, seat: str = "", *more: str) -> int:
        """Ask from the other machine, with a seat's login; return the status."""
        password = self.variables(seat)["MLFLOW_TRACKING_PASSWORD"] if seat else ""
        login = ("--user", f"{seat}:{password}") if seat else ()
        trust = ("--cacert", str(ca(self.stack)))
        return curl(self.machine, *trust, *login, *more, f"{self.origin}{path}")


@pytest.fixture(scope="module")
def room(_make_for_module: MakeStack) -> Iterator[Room]:
    """Return a running class of two seats whose hand-outs are written."""
    port = free_ports(1)[0]
    stack = prepared(
        _make_for_module(
            STACK_TLS="internal",
            STACK_TLS_OFFSET=str(offset()),
            STACK_BIND_ADDRESS="0.0.0.0",  # noqa: S104 - to test it
            MLFLOW_AUTH="basic",
            CLASS_TLS_PORT=str(port),
        )
    )
    stack.tool("class", "create", "--seats", "2")
    stack.tool("class", "handout")
    with other_machine() as machine:
        yield Room(stack, machine, port)


def lesson(room: Room, seat: str) -> str:
    """Log a run from the other machine; return its id."""
    variables = {**room.variables(seat), "MLFLOW_TRACKING_SERVER_CERT_PATH": str(ca(room.stack))}
    assert variables["MLFLOW_TRACKING_URI"] == f"{room.origin}/{seat}"
    return room.machine.run(sys.executable, "-c", LESSON, seat, code=0, **variables).out.split()[-1]


@short_in_ci
def test_each_path_must_lead_to_one_seat(room: Room) -> None:
    runs = {seat: lesson(room, seat) for seat in ("s01", "s02")}
    for seat, run in runs.items():
        query = f"/api/2.0/mlflow/runs/get?run_id={run}"
        (other,) = {*runs} - {seat}
        assert room.curl(f"/{seat}{query}", seat) == OK
        assert room.curl(f"/{other}{query}", other) == NOT_FOUND
        assert room.curl(f"/{other}{READ}", seat) == UNAUTHORIZED
        # Neither dots nor another spelling lead past the other's login.
        for path in (f"/{seat}/../{other}", f"/{seat}/%2e%2e/{other}", f"//{other}", f"/{other}/."):
            assert room.curl(f"{path}{READ}", seat, "--path-as-is") in {UNAUTHORIZED, NOT_FOUND}
    # Without the final slash, relative addresses in pages would lead elsewhere.
    assert room.curl("/s01", "s01") == FOUND
    for path in ("/", "/s03/", "/s010/health", "/health"):
        assert room.curl(path) == NOT_FOUND


@short_in_ci
def test_the_handed_out_program_must_find_the_seat(room: Room) -> None:
    program = str(room.handout("s01") / "check_client.py")
    room.machine.run(sys.executable, "-I", program).shows("ok      login", "as s01")


@short_in_ci
def test_nothing_else_must_answer_the_room(room: Room) -> None:
    pairs = (pair.split("=") for pair in room.stack.settings["CLASS_SEATS"].split())
    ports = {name: int(port) for name, port in pairs}
    for number in (*ports.values(), *(port + offset() for port in ports.values())):
        curl(room.machine, f"http://{lan_address()}:{number}/health", code=REFUSED)


@left_to_soak("other clients use the same path")
def test_a_person_must_use_a_seat_in_a_browser(room: Room, tmp_path: Path) -> None:
    require_browser()
    run, password = lesson(room, "s01"), room.variables("s01")["MLFLOW_TRACKING_PASSWORD"]
    page = f"{room.origin}/s01/"
    shown = f"{page}#/experiments/0/runs/{run}"
    room.machine.run(
        *(sys.executable, "-m", "tests.e2e.pages", str(tmp_path), pin(room.stack)),
        page.replace("://", f"://s01:{password}@"),
        *(shown, run, f"{shown}/artifacts", "note.txt"),
        PYTHONPATH=str(CHECKOUT),
    )


@left_to_soak("it starts the class again")
def test_the_tool_must_know_the_path(room: Room) -> None:
    """Also for a seat that is added, and for commands that ask a seat's server."""
    stack = room.stack
    added = stack.tool("class", "add", "--seats", "1", "--json").data["seats"]
    assert {each["url"] for each in added} == {f"{room.origin}/s0{number}" for number in (1, 2, 3)}
    stack.tool("class", "handout")
    run = lesson(room, "s03")
    shown: list[dict[str, Any]] = stack.tool("class", "status", "--json").data["seats"]
    assert {each["seat"]: each["health"] for each in shown} == dict.fromkeys(
        ("s01", "s02", "s03"), "healthy"
    )
    stack.tool("class", "reset", "s03", "--yes")
    assert room.curl(f"/s03/api/2.0/mlflow/runs/get?run_id={run}", "s03") == NOT_FOUND
    stack.tool("class", "down", "--volumes", "--yes")
    curl(room.machine, f"{room.origin}/s01/health", code=REFUSED)
