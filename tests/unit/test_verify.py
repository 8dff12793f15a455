"""`verify` trusts nothing: everything read back is compared with what was stored."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mlflow_compose.checks import check_owner, verify
from mlflow_compose.checks.probe import main
from mlflow_compose.checks.proof import MULTIPART, PREFIX, large
from mlflow_compose.clients import Unreachable, tracking
from mlflow_compose.clients.tracking import SERVER_INFO
from mlflow_compose.data.importing import Import, sender
from mlflow_compose.data.importing.source import FOLDER, Source
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.errors import EngineError, OtherStackError
from mlflow_compose.paths import StackPaths
from mlflow_compose.payloads import as_json
from mlflow_compose.result import Result
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen, answered
from tests.unit.samples import IDENTITY, SECRETS, stack

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
RUN = "0123456789abcdef0123456789abcdef"
PLAIN = {"/health": "OK", "/version": "3.17.2", SERVER_INFO: "{}"}
# Changes a response, like a broken server.
Twist = Callable[[str, Any], Any]


class Mlflow:
    """The parts of a tracking server that `verify` uses; `twist` may change each response."""

    def __init__(self, twist: Twist) -> None:
        self.twist = twist
        self.data: dict[str, list[dict[str, Any]]] = {"params": [], "metrics": [], "tags": []}
        self.objects: dict[str, bytes] = {}
        self.names: list[str] = []
        self.stack = f"{IDENTITY}/mlflow"
        self.requests: list[tuple[str, bool]] = []

    def answer(self, path: str, query: dict[str, str], body: bytes) -> bytes:
        if path in PLAIN:
            text: str = self.twist(path, PLAIN[path])
            return text.encode()
        if path.startswith(ARTIFACTS):
            key = path.removeprefix(ARTIFACTS)
            if body:
                self.objects[key] = body
            content: bytes = self.twist("get artifact", self.objects[key])
            return content
        endpoint = path.removeprefix(API)
        found = self.call(endpoint, json.loads(body) if body else query)
        return json.dumps(self.twist(endpoint, found)).encode()

    def call(self, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
        info = {"run_id": RUN, "artifact_uri": f"mlflow-artifacts:/7/{RUN}/artifacts"}
        kinds = {"log-parameter": "params", "log-metric": "metrics", "set-tag": "tags"}
        room, _, what = endpoint.partition("/")
        if what in kinds:
            self.data[kinds[what]].append({"key": body["key"], "value": body["value"]})
            return {}
        if endpoint == "artifacts/list":
            folder = f"7/{RUN}/artifacts/{body.get('path', '')}".rstrip("/")
            files = [
                {"path": key.removeprefix(f"7/{RUN}/artifacts/"), "file_size": len(content)}
                for key, content in self.objects.items()
                if key.rpartition("/")[0] == folder
            ]
            return {"files": files}
        if room == "model-versions":
            return {"model_version": {"version": "1", "run_id": RUN}}
        if endpoint == "experiments/create":
            self.names.append(body["name"])
            return {"experiment_id": "7"}
        answers: dict[str, dict[str, Any]] = {
            "runs/create": {"run": {"info": info}},
            "runs/get": {"run": {"info": info, "data": self.data}},
            "runs/search": {"runs": [{"info": info}]},
            "registered-models/create": {},
        }
        return answers[endpoint]


class Handler(BaseHTTPRequestHandler):
    mlflow: Mlflow

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.mlflow.requests.append((url.path, "Authorization" in self.headers))
        content = self.mlflow.answer(url.path, query, body)
        self.send_response(200)
        if self.mlflow.stack:
            self.send_header("mlflow-compose-stack", self.mlflow.stack)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def running(
    twist: Twist, links: dict[str, str] | None = None, **settings: str
) -> Iterator[tuple[FakeEngine, Mlflow]]:
    """Run a tracking server, and an engine whose probe reports these causes."""
    mlflow = Mlflow(twist)
    with HTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"mlflow": mlflow})) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        found = {
            name: {"cause": (links or {}).get(name, ""), "detail": f"saw {name}", "seconds": 0.1}
            for name in main.CHECKS
        }
        engine = FakeEngine(
            stack(MLFLOW_PORT=str(server.server_port), **settings),
            ALL_WELL,
            outcome=answered(found),
        )
        try:
            yield engine, mlflow
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_without_checks_from_inside_must_be_a_failure() -> None:
    with running(nothing) as (engine, _):
        engine.outcome = answered({})
        result = verify(engine, FakeScreen())
    (error,) = result.errors
    assert error.message.startswith("probe: the stack could not be checked from inside")
    assert "no result of database" in error.message


def nothing(_: str, answer: object) -> object:
    return answer


def steps(result: Result) -> list[str]:
    return [step["name"] for step in as_json(result.data)["steps"]]


def test_a_working_stack_must_be_proven_step_by_step() -> None:
    screen = FakeScreen()
    with running(nothing) as (engine, mlflow):
        result = verify(engine, screen)
    assert result.ok
    assert result.exit_code == 0
    assert steps(result) == [
        "health",
        "version",
        "experiment",
        "run",
        "artifact",
        "artifact 20 MB",
        "model",
        "search",
        *main.CHECKS,
    ]
    for step in as_json(result.data)["steps"]:
        assert set(step) == {"name", "ok", "seconds", "detail"}
        assert step["ok"]
        assert step["seconds"] >= 0
    assert len(large()) == 20 * 2**20
    assert large() in mlflow.objects.values()
    assert all(line.startswith("ok ") for line in result.lines)
    assert mlflow.names[0].startswith(PREFIX)


def test_created_data_must_be_checked_and_removed_from_inside() -> None:
    with running(nothing) as (engine, mlflow):
        verify(engine, FakeScreen())
    (call,) = [call for call in engine.calls if call.startswith("run mlflow ")]
    request = json.loads(call.removeprefix("run mlflow "))
    assert request["run_id"] == RUN
    assert [request["name"]] == mlflow.names
    assert request["objects"] == {key: len(content) for key, content in mlflow.objects.items()}


UNASKED = "run without a request"


@dataclass
class WatchedEngine(FakeEngine):
    """Tells when the probe is started, and records when it ends without a request.

    Attributes:
        started: Whether a probe was started.
        broken: Number of the next probes that end while they are loaded.
    """

    started: Event = field(default_factory=Event)
    broken: int = 0

    @property
    def runs(self) -> list[str]:
        """The requests, and the probes that ended without one."""
        return [call for call in self.calls if call.startswith("run ")]

    def run(self, service: str, *_: object, stdin: IO[bytes] | None = None, **more: Any) -> Outcome:  # noqa: ANN401 - passed on
        self.started.set()
        if self.broken:
            self.broken -= 1
            return Outcome(137, b"", "")
        chunks: list[bytes] = []

        def on_output(chunk: bytes) -> None:
            chunks.append(chunk)
            more["on_output"](chunk)

        outcome = super().run(service, (), stdin=stdin, on_output=on_output)
        if not chunks:
            self.calls.append(UNASKED)
        return outcome


@contextmanager
def watched(twist: Twist) -> Iterator[WatchedEngine]:
    """Run a tracking server, and an engine that watches the probe."""
    with running(twist) as (engine, _):
        yield WatchedEngine(**vars(engine))


def test_the_probe_must_be_loaded_while_the_steps_from_outside_run() -> None:
    found: list[bool] = []

    def twist(endpoint: str, answer: object) -> object:
        if endpoint == "experiments/create":
            # The server answers in another thread.
            found.append(engine.started.wait(10))
        return answer

    with watched(twist) as engine:
        assert verify(engine, FakeScreen()).ok
    assert found == [True]
    assert [RUN in call for call in engine.runs] == [True]


@pytest.mark.parametrize("broken", [1, 2])
def test_a_probe_that_ends_while_it_is_loaded_must_be_replaced(broken: int) -> None:
    """Nothing was checked or removed yet; only the second failure says that something is wrong."""
    with watched(nothing) as engine:
        engine.broken = broken
        result = verify(engine, FakeScreen())
    assert result.ok is (broken == 1)
    assert len(engine.runs) == 2 - broken


def test_a_probe_that_got_its_request_must_not_be_repeated() -> None:
    with watched(nothing) as engine:
        engine.outcome = Outcome(137, b'{"progress": "started"}\n', "")
        result = verify(engine, FakeScreen())
    assert result.errors[0].message.startswith("probe: the stack could not be checked from inside")
    assert len(engine.runs) == 1


@dataclass
class RaisingScreen(FakeScreen):
    """Raises an exception when a step begins."""

    step_name: str = ""
    error: BaseException | None = None

    def detail(self, text: str) -> None:
        if text == self.step_name and self.error:
            raise self.error


@pytest.mark.parametrize("step", ["version", "run"])
def test_a_loaded_probe_must_end_if_the_server_turns_out_to_be_another_stacks(step: str) -> None:
    with watched(nothing) as engine:
        result = verify(engine, RaisingScreen(step_name=step, error=OtherStackError("another's")))
    assert not result.ok
    assert engine.runs == [UNASKED]


def test_a_loaded_probe_must_end_with_ctrl_c_and_another_one_clean_up() -> None:
    with watched(nothing) as engine, pytest.raises(KeyboardInterrupt):
        verify(engine, RaisingScreen(step_name="artifact", error=KeyboardInterrupt()))
    ended, cleaned = engine.runs
    assert ended == UNASKED
    assert RUN in cleaned


def test_a_loaded_probe_must_end_if_a_step_fails_before_anything_is_created() -> None:
    with watched(changed("/version", "2.0.0")) as engine:
        assert not verify(engine, FakeScreen()).ok
    assert UNASKED in engine.runs


@pytest.mark.parametrize(
    ("stranger", "sentence"),
    [
        (f"{'f' * 16}/lab", "belongs to another stack (lab"),
        ("", "is not this stack's"),
        (IDENTITY[:-1], "is not this stack's"),
        (f"{'f' * 16}/\x1b[2Jlab", "is not this stack's"),
    ],
)
def test_another_server_must_get_no_secret_and_a_single_request(
    stranger: str, sentence: str
) -> None:
    """Neither the admin's password nor a run, since it may be another stack's server."""
    with running(nothing, MLFLOW_AUTH="basic") as (engine, mlflow):
        mlflow.stack = stranger
        result = verify(engine, FakeScreen())
    assert mlflow.requests == [("/health", False)]
    assert sentence in result.errors[0].message
    assert "MLFLOW_PORT" in (result.errors[0].hint or "")
    assert result.exit_code == 1
    # The probe is not run and nothing is removed.
    assert not any(call.startswith("run ") for call in engine.calls)


def test_a_server_that_replays_the_id_must_get_no_secret(tmp_path: Path) -> None:
    """Every response of the stack has its id; once it is down, another server may replay it."""
    with running(nothing, MLFLOW_AUTH="basic") as (engine, mlflow):
        engine.held = frozenset()
        put = sender(engine.stack)
        importing = Import(Source(FOLDER, "x"), engine, put, FakeScreen(), check_owner)
        (error,) = verify(engine, FakeScreen()).errors
        with pytest.raises(OtherStackError) as caught:
            importing.run(StackPaths(tmp_path / ".env"))
    assert mlflow.requests == [("/health", False)] * 2
    port = engine.stack.urls["mlflow"].rpartition(":")[2]
    words = f"the server on port {port} reports this stack's id, but is not part of it: "
    for found in (error, caught.value):
        assert found.message.startswith(words)
        assert f"(pid {os.getpid()})" in found.message
        assert "MLFLOW_PORT" in (found.hint or "")
    assert not any(call.startswith("run ") for call in engine.calls)


def test_the_stacks_own_server_must_get_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", "/nonexistent")
    with running(nothing, MLFLOW_AUTH="basic") as (engine, mlflow):
        assert verify(engine, FakeScreen()).ok
    assert mlflow.requests[0] == ("/health", False)
    assert all(login for _, login in mlflow.requests[1:])


def lost(name: str) -> Twist:
    """Return a server that forgets one kind of data."""

    def twist(endpoint: str, answer: Any) -> Any:  # noqa: ANN401 - any answer
        if endpoint == "runs/get":
            # MLflow omits empty lists.
            data = answer["run"]["data"]
            answer["run"]["data"] = {kind: found for kind, found in data.items() if kind != name}
        return answer

    return twist


def changed(endpoint: str, value: object) -> Twist:
    """Return a server with a different answer on one endpoint."""
    return lambda called, answer: value if called == endpoint else answer


@pytest.mark.parametrize(
    ("twist", "step"),
    [
        (changed("/version", "2.0.0"), "version"),
        (lost("params"), "run"),
        (lost("metrics"), "run"),
        (lost("tags"), "run"),
        (changed("get artifact", b"proof\n" * 99 + b"prooF\n"), "artifact"),
        (changed("artifacts/list", {"files": []}), "artifact"),
        (changed("artifacts/list", {}), "artifact"),
        (changed("model-versions/get", {"model_version": {"run_id": "other"}}), "model"),
        (changed("runs/search", {}), "search"),
        (changed("experiments/create", {}), "experiment"),
        (changed("runs/create", {"run": {}}), "run"),
    ],
)
def test_the_first_difference_must_end_the_proof(twist: Twist, step: str) -> None:
    with running(twist) as (engine, _):
        result = verify(engine, FakeScreen())
    assert result.exit_code == 1
    assert steps(result)[-1] == step
    assert [found["ok"] for found in as_json(result.data)["steps"]].count(False) == 1
    (error,) = result.errors
    assert error.code == "verify"
    assert error.message.startswith(f"{step}: MLflow answered with an error")
    assert error.hint is not None
    assert result.lines[-1].startswith("FAILED")


def run_called(run_id: object) -> dict[str, Any]:
    return {"run": {"info": {"run_id": run_id, "artifact_uri": ""}}}


@pytest.mark.parametrize(
    ("twist", "step"),
    [
        *(
            (changed("experiments/create", {"experiment_id": value}), "experiment")
            for value in ("..", "", "7/..", "7\n", "\u0667", None, "a" * 32)
        ),
        *(
            (changed("runs/create", run_called(value)), "run")
            for value in ("../../../../victim", "", f"{RUN}/..", RUN.upper(), "7", None, RUN[1:])
        ),
    ],
)
def test_an_id_in_another_format_must_end_the_proof(twist: Twist, step: str) -> None:
    """It would become part of paths that are written, read and deleted."""
    with running(twist) as (engine, mlflow):
        result = verify(engine, FakeScreen())
    assert steps(result)[-1] == step
    assert f"is not the id of an MLflow {step}" in result.errors[0].message
    assert not mlflow.objects
    *_, call = engine.calls
    request = json.loads(call.removeprefix("run mlflow "))
    # Anything created nevertheless is removed, by the name that was generated here.
    assert [request["name"]] == mlflow.names


def test_a_broken_link_inside_must_be_reported_with_its_cause() -> None:
    with running(nothing, {"isolation": "key_too_strong"}) as (engine, _):
        result = verify(engine, FakeScreen())
    assert steps(result)[-1] == "isolation"
    (error,) = result.errors
    assert "the application's key may use buckets other than MLFLOW_BUCKET_NAME" in error.message


# The second check waits like a query without an answer.
HANGING = """
import time
from mlflow_compose.checks.probe import main
from mlflow_compose.engines.inside import answer
main.DEADLINE = 0.2
main.CHECKS = {"bucket": lambda _: "fine", "database": lambda _: time.sleep(60)}
answer.serve(main.main, {"only": ["bucket", "database"]})
"""


def test_a_check_without_an_answer_must_be_named() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], check=False, stdout=subprocess.PIPE)
    failed = {"message": "the check 'database' had no answer within 0.2 seconds"}
    assert (done.returncode, json.loads(done.stdout)) == (1, {"failed": failed})


def test_the_cause_of_a_failure_must_be_searched_from_inside() -> None:
    with running(changed("runs/search", {}), {"database": "pg_down"}) as (engine, _):
        result = verify(engine, FakeScreen())
    (error,) = result.errors
    assert error.message.startswith("search: PostgreSQL cannot be reached from mlflow")


def test_an_unpublished_port_must_be_distinguished_from_a_server_that_is_down() -> None:
    with running(nothing) as (engine, _):
        pass
    (error,) = verify(engine, FakeScreen()).errors
    assert "health: MLflow is running, but its port is not published" in error.message
    engine.statuses = ()
    (error,) = verify(engine, FakeScreen()).errors
    assert "health: the stack is not running" in error.message


@contextmanager
def silent() -> Iterator[FakeEngine]:
    """Run a server that accepts connections but does not answer, like a stopped process."""
    works = {"cause": "", "detail": "works", "seconds": 0.1}
    hangs = {"cause": "mlflow_down", "detail": "timed out", "seconds": 0.1}
    found = {**dict.fromkeys(main.CHECKS, works), "network": hangs}
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield FakeEngine(
            stack(MLFLOW_PORT=str(server.getsockname()[1]), MLFLOW_AUTH="basic"),
            ALL_WELL,
            outcome=answered(found),
        )


def test_a_hanging_server_of_the_stack_must_be_recognized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "TIMEOUT", 0.2)
    with silent() as engine:
        result = verify(engine, FakeScreen())
        put = sender(engine.stack)
        importing = Import(Source(FOLDER, "x"), engine, put, FakeScreen(), check_owner)
        with pytest.raises(EngineError, match=r"is running, but .* does not answer") as caught:
            importing.run(StackPaths(tmp_path / ".env"))
    assert steps(result) == ["health"]
    (error,) = result.errors
    assert error.message == "health: MLflow does not answer inside its network (timed out)"
    assert error.hint == "mlflow-compose logs mlflow shows why"
    assert "mlflow-compose verify" in (caught.value.hint or "")


def test_a_server_that_only_hangs_from_outside_must_be_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracking, "TIMEOUT", 0.2)
    with silent() as engine:
        engine.outcome = None
        (error,) = verify(engine, FakeScreen()).errors
    assert error.message.startswith("health: MLflow answers in its network, but not on this")


def test_a_hanging_server_of_another_stack_must_be_recognized(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracking, "TIMEOUT", 0.2)
    with silent() as engine:
        engine.held = frozenset()
        (error,) = verify(engine, FakeScreen()).errors
    assert error.code == "other_stack"
    assert "is not this stack's" in error.message
    assert f"(pid {os.getpid()})" in error.message


def test_no_login_must_be_sent_after_nothing_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers a moment later has not been identified."""

    def nobody(_: object) -> tuple[str, str]:
        raise Unreachable("nothing answers")

    monkeypatch.setattr(tracking.Tracking, "stack", nobody)
    with running(nothing, MLFLOW_AUTH="basic") as (engine, mlflow):
        result = verify(engine, FakeScreen())
    assert steps(result) == ["health"]
    assert mlflow.requests == []


@pytest.mark.parametrize("key", MULTIPART)
def test_a_server_that_makes_clients_bypass_the_proxy_must_be_reported(key: str) -> None:
    """URLs with the server's name for S3 do not resolve on this machine."""
    with running(changed(SERVER_INFO, json.dumps({key: True}))) as (engine, _):
        (error,) = verify(engine, FakeScreen()).errors
    assert error.message.startswith("version: MLflow tells its clients to bypass the proxy")
    assert key in error.message
    assert "MLFLOW_IMAGE" in (error.hint or "")


def test_answers_of_a_server_must_be_masked() -> None:
    with running(changed("/version", SECRETS["PG_PASSWORD"])) as (engine, _):
        result = verify(engine, FakeScreen())
    shown = json.dumps(result.envelope("verify")) + "".join(result.lines)
    assert SECRETS["PG_PASSWORD"] not in shown
    assert "********" in shown


def test_a_ready_made_image_may_contain_another_version() -> None:
    with running(changed("/version", "3.0.0")) as (engine, _):
        port = engine.stack.urls["mlflow"].rpartition(":")[2]
        engine.stack = stack(MLFLOW_PORT=port, MLFLOW_IMAGE="registry.example.org/mlflow:3.0.0")
        assert verify(engine, FakeScreen()).ok
