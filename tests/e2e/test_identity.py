"""A stack is recognized by its id, and commands never touch anything with another id."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psutil
import pytest
import requests

from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .local_stack import MARK, LocalStack
from .mlruns import Mlruns
from .running import WAIT_TIMEOUT, RunningStack, docker_only, left_to_soak, local_only
from .small import NOTHING, SMALLEST, Kept, identity, is_up, kept, rendered
from .stranger import HEADER, stranger
from .tool import Output, environment, tool
from .tracking import MLFLOW, Api
from .waiting import free_ports

LABEL = "mlflow-compose.stack"
OTHER_STACK, NO_STACK = "belongs to another stack", "is not this stack's"
REPLAYED = "reports this stack's id, but is not part of it"
UP = ("up", "--no-verify", f"--wait-timeout={WAIT_TIMEOUT}")
DELETE = ("down", "--volumes", "--yes")
PRUNE = ("migrate-store", "--prune", "--yes")
ADA = ("ada", "analytical-engine")


# --- what carries the id


def test_the_id_must_be_stored_next_to_the_env_file(shared: RunningStack) -> None:
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


def other_paths(stack: RunningStack, top: Path) -> dict[str, str]:
    """Return other paths to an env file: by links to its folder and to itself, and with dots."""
    (top / "folder").symlink_to(stack.folder)
    (top / "elsewhere.env").symlink_to(stack.env_file)
    (stack.folder / "below").mkdir(exist_ok=True)
    dots = f"{stack.folder}/below/../.env"
    return {"folder": f"{top}/folder/.env", "file": f"{top}/elsewhere.env", "dots": dots}


def types(path: str, *command: str) -> Output:
    """Run a command for an env file from another folder."""
    return tool("--env-file", path, *command, folder=Path("/"), env=environment())


# --- another stack on the port of a stopped one


@dataclass(frozen=True)
class Neighbours:
    """A running stack, and a stopped one that is configured with the same port.

    Attributes:
        running: Stack without login, so only the tool's checks protect it.
                stopped: Stack with login and a run, which was started and stopped by links to it.
                run_id: Id of that run.
                paths: Other paths to the stopped stack.
                answers: Responses of the stopped stack while it ran, by status.
    """

    running: RunningStack
    stopped: RunningStack
    run_id: str
    paths: dict[str, str]
    answers: dict[int, requests.Response]

    @property
    def kept(self) -> tuple[Kept, Kept]:
        """Data on disk of both stacks."""
        return kept(self.running), kept(self.stopped)


@pytest.fixture(scope="module")
def neighbours(
    _make_for_module: MakeStack, smallest: RunningStack, tmp_path_factory: pytest.TempPathFactory
) -> Neighbours:
    running = smallest
    running.log_run()
    stopped = _make_for_module(**SMALLEST, MLFLOW_AUTH="basic")
    paths = other_paths(stopped, tmp_path_factory.mktemp("links"))
    types(paths["folder"], *UP)
    admin = Api(stopped.url, ("admin", stopped.settings["MLFLOW_ADMIN_PASSWORD"]))
    run = stopped.log_run(admin)
    admin.post("users/create", username=ADA[0], password=ADA[1])
    answers = [
        admin.call("GET", f"{MLFLOW}/experiments/search", params={"max_results": 1}),
        Api(stopped.url).call("GET", f"{MLFLOW}/experiments/search"),
        Api(stopped.url, ADA).call("GET", f"{MLFLOW}/users/get", params={"username": "admin"}),
        admin.call("GET", f"{MLFLOW}/runs/get", params={"run_id": "0" * 32}),
    ]
    types(paths["file"], "down")
    stopped.write(MLFLOW_PORT=running.settings["MLFLOW_PORT"])
    by_status = {answer.status_code: answer for answer in answers}
    return Neighbours(running, stopped, run.id, paths, by_status)


def test_a_stack_must_be_started_and_stopped_by_links_to_it(neighbours: Neighbours) -> None:
    assert not is_up(neighbours.stopped)
    assert kept(neighbours.stopped).runs == [neighbours.run_id]


@pytest.mark.parametrize("status", [200, 401, 403, 404])
def test_every_answer_must_carry_the_id_of_its_stack(neighbours: Neighbours, status: int) -> None:
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
def test_an_answer_that_does_not_come_from_mlflow_must_carry_the_id_too(
    neighbours: Neighbours, path: str, host: str
) -> None:
    stack = neighbours.running
    answer = stack.api.call("GET", path, headers={"Host": host} if host else {})
    if host:
        assert answer.status_code == HTTPStatus.FORBIDDEN
    assert answer.headers[HEADER] == f"{identity(stack.folder)}/{stack.name}"


def test_another_stacks_data_must_be_neither_changed_nor_shown(
    neighbours: Neighbours, small_source: Mlruns
) -> None:
    """`verify`, `import` and `status` refuse, and a migration does not start."""
    stack, before = neighbours.stopped, neighbours.kept
    text = stack.env_file.read_text(encoding="utf-8")
    for command in (("verify",), ("import", str(small_source.path))):
        stack.tool(*command, code=1).shows(OTHER_STACK, neighbours.running.name)
    assert stack.tool("status", "--json", code=None).data["services"] == []
    output = stack.tool("migrate-store", "--to", "postgres=postgres", code=None)
    assert output.code
    output.shows("not running")
    assert neighbours.kept == before
    assert stack.env_file.read_text(encoding="utf-8") == text


# Only a server that replays this stack's id makes the tool ask the engine.
ALIKE = local_only("both engines share the code that reads the id in a response")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        pytest.param("", [NO_STACK], marks=ALIKE, id="nobody"),
        pytest.param(
            "0123456789abcdef/somebody", [OTHER_STACK, "somebody"], marks=ALIKE, id="another"
        ),
        pytest.param("{id}/{name}", [REPLAYED, "(pid "], id="this one"),
    ],
)
def test_no_password_must_be_sent_to_another_server(
    neighbours: Neighbours, small_source: Mlruns, claims: str, words: list[str]
) -> None:
    """Any program may listen on the port and record what it receives."""
    stack, before = neighbours.stopped, neighbours.kept
    claims = claims.format(id=identity(stack.folder), name=stack.name)
    commands = (("verify",), ("import", str(small_source.path)))
    with stranger(claims) as server, stack.changed(MLFLOW_PORT=str(server.port)):
        outputs = [stack.tool(*command, code=1) for command in commands]
        stack.tool("status", code=None)
    for output in outputs:
        output.shows(*words)
    assert server.requests
    assert not [request for request in server.requests if "authorization" in request[2]]
    assert {method for method, _, _ in server.requests} <= {"GET", "HEAD"}
    assert neighbours.kept == before


@left_to_soak("it waits for a server that hangs")
@local_only("it suspends a process of the server")
def test_the_stacks_own_hung_server_must_not_be_reported_as_another_stack(
    neighbours: Neighbours,
) -> None:
    stack = neighbours.running
    assert isinstance(stack, LocalStack)
    server = psutil.Process(stack.pids()["mlflow"])
    hung = [server, *server.children(recursive=True)]
    for process in hung:
        process.suspend()
    try:
        output = stack.tool("verify", "--json", code=1)
    finally:
        for process in hung:
            process.resume()
    (error,) = output.envelope["errors"]
    assert error["code"] == "verify"
    assert error["message"].startswith("health: MLflow does not answer inside its network")
    assert error["hint"] == "mlflow-compose logs mlflow shows why"


# --- two env files in one folder


@local_only("the folder's owner is checked before an engine is involved")
def test_a_folder_must_belong_to_one_env_file(neighbours: Neighbours) -> None:
    """Both would share rendered files and data, whether the first one runs or not."""
    others = (("render",), ("status",), ("verify",), PRUNE, ("down",))
    for stack, commands in (
        (neighbours.running, (UP, *others, DELETE)),
        (neighbours.stopped, (UP, DELETE)),
    ):
        second, port = stack.folder / "second.env", str(free_ports(1)[0])
        with stack.changed(COMPOSE_PROJECT_NAME=f"{stack.name}-2", MLFLOW_PORT=port):
            second.write_text(stack.env_file.read_text(encoding="utf-8"), encoding="utf-8")
        before = kept(stack), rendered(stack), stack.starts(), is_up(stack)
        for command in commands:
            output = stack.tool("--env-file", second.name, *command, code=2)
            assert re.search(r"(?<!\w)\.env\b", output.text), output
        assert (kept(stack), rendered(stack), stack.starts(), is_up(stack)) == before
        second.unlink()


# --- two folders with one name


@docker_only("only Docker has named volumes")
def test_another_clone_must_not_reach_the_data_of_a_namesake(
    neighbours: Neighbours, make_stack: MakeStack
) -> None:
    """Whether or not the first one runs and the second one is rendered already."""
    twin = make_stack(**SMALLEST)
    for stack in (neighbours.running, neighbours.stopped):
        twin.write(COMPOSE_PROJECT_NAME=stack.name)
        before = kept(stack), stack.starts()
        for command in (UP, DELETE, PRUNE):
            twin.tool(*command, code=1)
        assert (kept(stack), stack.starts()) == before
        twin.tool("render", code=None)


@docker_only("only Docker has named volumes")
def test_another_clone_must_not_reach_a_namesakes_database_and_bucket(
    shared: DockerStack, make_stack: MakeStack
) -> None:
    twin = make_stack()
    twin.write(COMPOSE_PROJECT_NAME=shared.name)
    run, starts, rows = shared.log_run(), shared.starts(), shared.rows()
    twin.tool("render", code=None)
    for command in (UP, DELETE, PRUNE):
        twin.tool(*command, code=1)
    assert (shared.starts(), shared.rows()) == (starts, rows)
    shared.expect(run)


# --- one stack by other paths


@pytest.mark.parametrize(
    "way",
    [
        "file",
        *(
            pytest.param(way, marks=local_only("paths are resolved before an engine is involved"))
            for way in ("folder", "dots")
        ),
    ],
)
def test_a_running_stack_must_be_recognized_by_every_path(
    smallest: RunningStack, tmp_path: Path, way: str
) -> None:
    path, starts = other_paths(smallest, tmp_path)[way], smallest.starts()
    assert types(path, "status", "--json").data["services"][0]["state"] == "running"
    types(path, *UP)
    assert smallest.starts() == starts


def test_the_data_of_a_stack_must_be_deletable_by_another_path(neighbours: Neighbours) -> None:
    """Runs last, after all tests that need the data."""
    assert kept(neighbours.stopped) != NOTHING
    types(neighbours.paths["dots"], *DELETE)
    assert kept(neighbours.stopped) == NOTHING
