"""A stack has an identity: it is known by it, and nothing is done to what carries another one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psutil
import pytest
import requests

from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .local_stack import MARK, LocalStack
from .running import RunningStack, docker_only, local_only
from .small import SMALLEST, Kept, identity, is_up, kept, processes_in, rendered
from .stranger import HEADER, stranger
from .tool import Said, environment, tool
from .tracking import MLFLOW, Api
from .waiting import free_ports

LABEL = "mlflow-compose.stack"
OTHER_STACK, NO_STACK = "answers as another stack", "does not answer as this stack"
REPLAYED = "answers as this stack, but does not belong to it"
DELETE = ("down", "--volumes", "--yes")
PRUNE = ("migrate-store", "--prune", "--yes")
ADA = ("ada", "analytical-engine")


# --- what carries it


def test_the_id_must_be_kept_beside_the_env_file(shared: RunningStack) -> None:
    assert re.fullmatch(r"[0-9a-f]{16,}", identity(shared.folder))


@docker_only("processes have no labels")
def test_containers_and_volumes_must_carry_the_id(shared: DockerStack) -> None:
    id_ = identity(shared.folder)
    labels = {name: box["Config"]["Labels"].get(LABEL) for name, box in shared.containers().items()}
    assert set(labels) == {"postgres", "s3", "bucket-init", "mlflow"}
    assert set(labels.values()) == {id_}
    names = [f"{shared.name}_{volume}" for volume in shared.volumes()]
    found = docker("volume", "inspect", "--format", f'{{{{index .Labels "{LABEL}"}}}}', *names)
    assert found.out.split() == [id_] * len(names)


@local_only("containers have labels")
def test_processes_must_carry_the_id(shared: LocalStack) -> None:
    id_ = identity(shared.folder)
    marks = {name: psutil.Process(pid).environ()[MARK] for name, pid in shared.pids().items()}
    assert {"postgres", "s3", "mlflow"} <= set(marks)
    assert marks == {name: f"{id_}/{name}" for name in marks}


# --- another stack on the port of a stopped one


@dataclass(frozen=True)
class Neighbours:
    """A running stack, and a stopped one whose port it has.

    Attributes:
        running: It wants no login, so nothing but care keeps others out.
        stopped: It has a run, and logs in.
        answers: What the stopped one answered while it ran, by status.
    """

    running: RunningStack
    stopped: RunningStack
    answers: dict[int, requests.Response]

    @property
    def kept(self) -> tuple[Kept, Kept]:
        """What both have on disk."""
        return kept(self.running), kept(self.stopped)


@pytest.fixture(scope="module")
def neighbours(_make_for_module: MakeStack, smallest: RunningStack) -> Neighbours:
    running = smallest
    running.log_run()
    stopped = _make_for_module(**SMALLEST, MLFLOW_AUTH="basic")
    stopped.up()
    admin = Api(stopped.url, ("admin", stopped.settings["MLFLOW_ADMIN_PASSWORD"]))
    stopped.log_run(admin)
    admin.post("users/create", username=ADA[0], password=ADA[1])
    answers = [
        admin.call("GET", f"{MLFLOW}/experiments/search", params={"max_results": 1}),
        Api(stopped.url).call("GET", f"{MLFLOW}/experiments/search"),
        Api(stopped.url, ADA).call("GET", f"{MLFLOW}/users/get", params={"username": "admin"}),
        admin.call("GET", f"{MLFLOW}/runs/get", params={"run_id": "0" * 32}),
    ]
    stopped.tool("down")
    stopped.write(MLFLOW_PORT=running.settings["MLFLOW_PORT"])
    return Neighbours(running, stopped, {answer.status_code: answer for answer in answers})


@pytest.mark.parametrize("status", [200, 401, 403, 404])
def test_every_answer_must_say_whose_it_is(neighbours: Neighbours, status: int) -> None:
    stack = neighbours.stopped
    assert neighbours.answers[status].headers[HEADER] == f"{identity(stack.folder)}/{stack.name}"


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/health", ""),
        ("/", ""),
        ("/nowhere", ""),
        (f"{MLFLOW}/experiments/search", "evil.example"),
    ],
)
def test_also_an_answer_that_mlflow_does_not_give_must(
    neighbours: Neighbours, path: str, host: str
) -> None:
    stack = neighbours.running
    answer = stack.api.call("GET", path, headers={"Host": host} if host else {})
    if host:
        assert answer.status_code == HTTPStatus.FORBIDDEN
    assert answer.headers[HEADER] == f"{identity(stack.folder)}/{stack.name}"


def test_verify_must_write_nothing_to_another_stack(neighbours: Neighbours) -> None:
    before = neighbours.kept
    said = neighbours.stopped.tool("verify", code=1)
    said.shows(OTHER_STACK, neighbours.running.name)
    assert neighbours.kept == before


def test_import_must_write_nothing_to_another_stack(
    neighbours: Neighbours, small_source: Path
) -> None:
    before = neighbours.kept
    said = neighbours.stopped.tool("import", str(small_source), code=1)
    said.shows(OTHER_STACK, neighbours.running.name)
    assert neighbours.kept == before


def test_status_must_not_take_another_stack_for_this_one(neighbours: Neighbours) -> None:
    assert neighbours.stopped.tool("status", "--json", code=None).data["services"] == []


def test_a_migration_must_not_begin_at_another_stack(neighbours: Neighbours) -> None:
    before, text = neighbours.kept, neighbours.stopped.env_file.read_text(encoding="utf-8")
    said = neighbours.stopped.tool("migrate-store", "--to", "postgres=postgres", code=None)
    assert said.code
    said.shows("not running")
    assert neighbours.kept == before
    assert neighbours.stopped.env_file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ("", [NO_STACK]),
        ("0123456789abcdef/somebody", [OTHER_STACK, "somebody"]),
        ("{id}/{name}", [REPLAYED, "(pid "]),
    ],
    ids=["nobody", "another", "this one"],
)
def test_no_password_must_be_sent_to_another_server(
    neighbours: Neighbours, small_source: Path, claims: str, words: list[str]
) -> None:
    """It may be anything that listens on the port, and keep what it is sent."""
    stack, before = neighbours.stopped, neighbours.kept
    claims = claims.format(id=identity(stack.folder), name=stack.name)
    with stranger(claims) as found, stack.changed(MLFLOW_PORT=str(found.port)):
        said = [stack.tool(*line, code=1) for line in (("verify",), ("import", str(small_source)))]
        stack.tool("status", code=None)
    for one in said:
        one.shows(*words)
    assert found.requests
    assert not [request for request in found.requests if "authorization" in request[2]]
    assert {method for method, _, _ in found.requests} <= {"GET", "HEAD"}
    assert neighbours.kept == before


@local_only("it takes a signal to a process of the server")
def test_its_own_server_that_hangs_must_not_be_a_stranger(neighbours: Neighbours) -> None:
    stack = neighbours.running
    assert isinstance(stack, LocalStack)
    server = psutil.Process(stack.pids()["mlflow"])
    hung = [server, *server.children(recursive=True)]
    for process in hung:
        process.suspend()
    try:
        said = stack.tool("verify", "--json", code=1)
    finally:
        for process in hung:
            process.resume()
    (error,) = said.envelope["errors"]
    assert error["code"] == "verify"
    assert error["message"].startswith("health: MLflow does not answer inside of its network")
    assert error["hint"] == "mlflow-compose logs mlflow shows why"


# --- two env files in one folder


def type_for(stack: RunningStack, env_file: str, *arguments: str, code: int | None = 0) -> Said:
    """Run a command in a stack's folder for another env file."""
    return stack.tool("--env-file", env_file, *arguments, code=code)


def test_a_folder_must_be_the_stack_of_one_env_file(make_stack: MakeStack) -> None:
    """Both would have the same rendered files and data."""
    stack = make_stack(**SMALLEST)
    stack.up()
    stack.log_run()
    second = stack.folder / "second.env"
    with stack.changed(COMPOSE_PROJECT_NAME=f"{stack.name}-2", MLFLOW_PORT=str(free_ports(1)[0])):
        second.write_text(stack.env_file.read_text(encoding="utf-8"), encoding="utf-8")
    before = kept(stack), rendered(stack)
    starts = stack.starts()
    commands = [("up", "--no-verify"), ("render",), ("status",), ("verify",), PRUNE, ("down",)]
    for command in (*commands, DELETE):
        said = type_for(stack, second.name, *command, code=2)
        assert re.search(r"(?<!\w)\.env\b", said.text), said
        assert (kept(stack), rendered(stack)) == before
        assert stack.starts() == starts
    stack.tool("down")
    for command in (("up", "--no-verify"), DELETE):
        type_for(stack, second.name, *command, code=2)
        assert not is_up(stack)
        assert (kept(stack), rendered(stack)) == before


# --- two folders with one name


@docker_only("volumes have names of their own only there")
def test_another_clone_must_not_get_at_the_data_of_a_name(make_stack: MakeStack) -> None:
    """Whether the first one runs, and whether the second one is rendered already."""
    stack, twin = make_stack(**SMALLEST), make_stack(**SMALLEST)
    twin.write(COMPOSE_PROJECT_NAME=stack.name)
    stack.up()
    run, before = stack.log_run(), kept(stack)

    def expect_refusals() -> None:
        for command in (("up", "--no-verify"), DELETE, PRUNE):
            twin.tool(*command, code=1)
            assert kept(stack) == before

    starts = stack.starts()
    expect_refusals()
    twin.tool("render", code=None)
    expect_refusals()
    assert stack.starts() == starts
    stack.tool("down")
    expect_refusals()
    stack.up()
    assert stack.api.artifact("GET", run.key).content == run.artifact


@docker_only("volumes have names of their own only there")
def test_another_clone_must_not_get_at_a_database_and_a_bucket(
    shared: DockerStack, make_stack: MakeStack
) -> None:
    twin = make_stack()
    twin.write(COMPOSE_PROJECT_NAME=shared.name)
    run, starts, rows = shared.log_run(), shared.starts(), shared.rows()
    twin.tool("render", code=None)
    for command in (("up", "--no-verify"), DELETE, PRUNE):
        twin.tool(*command, code=1)
    assert (shared.starts(), shared.rows()) == (starts, rows)
    shared.expect(run)


# --- one stack by other paths


def test_a_stack_must_be_the_same_by_every_path(make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack(**SMALLEST)
    (stack.folder / "below").mkdir()
    (tmp_path / "folder").symlink_to(stack.folder)
    (tmp_path / "elsewhere.env").symlink_to(stack.env_file)
    dots, folder, file = (
        f"{stack.folder}/below/../.env",
        f"{tmp_path}/folder/.env",
        f"{tmp_path}/elsewhere.env",
    )

    def types(path: str, *command: str, code: int | None = 0) -> Said:
        argv = ("--env-file", path, *command)
        return tool(*argv, code=code, folder=tmp_path, env=environment())

    types(folder, "up", "--no-verify")
    stack.log_run()
    before, starts = kept(stack), stack.starts()
    for path in (dots, file, folder):
        assert types(path, "status", "--json").data["services"][0]["state"] == "running"
        types(path, "up", "--no-verify")
        assert stack.starts() == starts
    types(file, "down")
    assert not is_up(stack)
    assert kept(stack) == before
    types(dots, "up", "--no-verify")
    types(file, *DELETE)
    assert not is_up(stack)
    assert kept(stack).runs == []


@local_only("it is about a socket")
def test_a_long_path_must_be_known_under_another_tmpdir(
    stack_in: Callable[..., LocalStack], tmp_path: Path
) -> None:
    stack = stack_in(tmp_path / ("long/" * 30), **SMALLEST)
    first, second = tmp_path / "x", tmp_path / "y"
    first.mkdir()
    second.mkdir()
    stack.tool("up", "--no-verify", TMPDIR=str(first))
    said = stack.tool("status", "--json", TMPDIR=str(second))
    assert [service["state"] for service in said.data["services"]] == ["running"]
    stack.tool("down", TMPDIR=str(second))
    assert not list(processes_in(stack.folder))
