"""The server imports everything once, and serves the same app as `mlflow server`."""

import json
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from .local_stack import LocalStack
from .running import RunningStack, left_to_soak, local_only
from .tracking import Api
from .waiting import free_ports, wait_until

CONNECTIONS = 8
# A request whose body never arrives completely.
UNFINISHED = (
    b"POST /api/2.0/mlflow/experiments/search HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)
# Prints uvicorn's arguments, the environment and the app that it would serve.
SHOW = """
import gc, json, os, re, sys

def drawn():
    # The first number that a forked worker draws.
    import numpy
    read, write = os.pipe()
    if not os.fork():
        os.write(write, numpy.random.bytes(8))
        os._exit(0)
    os.wait()
    return os.read(read, 8).hex()

def statements(handlers):
    # What logging a metric for the second time asks the database.
    import sqlalchemy, mlflow.entities
    store, found = handlers._get_tracking_store(), []
    run = store.create_run("0", "me", 0, [], "run").info.run_id
    log = lambda step: store.log_metric(run, mlflow.entities.Metric("loss", 0.5, step, step))
    log(0)
    listen = lambda *arguments: found.append(arguments[2].split()[0])
    sqlalchemy.event.listen(store.engine, "before_cursor_execute", listen)
    log(1)
    # PRAGMA: settings of SQLite, for each connection.
    return [statement for statement in found if statement != "PRAGMA"]

def paths(routes):
    for route in routes:
        router = getattr(route, "original_router", None)
        yield from paths(router.routes) if router else [f"{route.path} {route.name}"]

def show(command):
    from uvicorn.importer import import_from_string
    app = import_from_string(command[-1])
    app = app() if "--factory" in command else app
    from mlflow.server import app as flask, handlers
    hooks = (flask.before_request_funcs, flask.after_request_funcs, flask.teardown_request_funcs)
    print("SHOWN", json.dumps({
        "command": [str(word) for word in command],
        "environment": {
            **os.environ, "_MLFLOW_SERVER_BOOT_ID": "drawn for each start", "TMPDIR": "its own",
        },
        "routes": [*paths(app.routes)],
        "middleware": [re.sub(" at 0x[0-9a-f]+", "", str(one)) for one in app.user_middleware],
        "rules": sorted(f"{rule} {sorted(rule.methods)}" for rule in flask.url_map.iter_rules()),
        "collects_garbage": gc.isenabled(),
        "drawn": [drawn(), drawn()],
        "connects_on_first_request": handlers._tracking_store is None,
        "statements": statements(handlers),
        "hooks": [[hook.__qualname__ for name in found for hook in found[name]] for found in hooks],
    }))
"""
IN_ONE_PROCESS = """
import runpy, uvicorn
uvicorn.main = lambda command, prog_name: show(command)
sys.argv[0] = "mlflow/serve.py"
runpy.run_path(sys.argv[0], run_name="__main__")
"""
IN_ANOTHER_PROCESS = f"""
import subprocess, mlflow.server
from mlflow.cli import cli

def run(command, extra_env, **options):
    show = {SHOW!r} + "show(sys.argv[1:])"
    environ = {{**os.environ, **extra_env}}
    subprocess.run([sys.executable, "-c", show, *command[3:]], env=environ, check=True)
    raise SystemExit

mlflow.server._exec_cmd = run
cli(prog_name="mlflow")
"""


LOGIN = """
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{folder}/mlflow.db
admin_username = admin
admin_password = a password for tests
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def served_app(
    stack: LocalStack, capture: str, folder: Path, more: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what `mlflow server` would serve, captured by the code in `capture`."""
    login = folder / "login.ini"
    login.write_text(LOGIN.format(folder=folder), encoding="utf-8")
    # As the entry point names it.
    uploads = folder / "mlflow-uploads-1"
    uploads.mkdir(exist_ok=True)
    variables = (
        *(f"MLFLOW_AUTH_CONFIG_PATH={login}", "MLFLOW_FLASK_SERVER_SECRET_KEY=for tests"),
        f"TMPDIR={uploads}",
    )
    options = (
        *more,
        *("--host=127.0.0.1", "--port=5000", "--workers=1", "--allowed-hosts=localhost,mlflow:*"),
        *("--cors-allowed-origins=http://lab", "--uvicorn-opts=--loop uvloop"),
        *(f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}"),
    )
    command = ("env", *variables, "python", "-c", SHOW + capture, "server", *options)
    output = stack.execute("mlflow", *command)
    line = next(line for line in output.splitlines() if line.startswith("SHOWN "))
    found: dict[str, Any] = json.loads(line.removeprefix("SHOWN "))
    return found


@local_only("the image has the same packages")
@pytest.mark.parametrize("more", [(), ("--app-name=basic-auth",)], ids=["open", "login"])
def test_the_served_app_must_be_that_of_mlflow_server(
    shared: LocalStack, tmp_path: Path, more: Sequence[str]
) -> None:
    ours = served_app(shared, IN_ONE_PROCESS, tmp_path, more)
    theirs = served_app(shared, IN_ANOTHER_PROCESS, tmp_path, more)
    assert ours["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"] == "localhost,mlflow:*"
    assert len(ours["routes"]) > 10
    assert ours["middleware"]
    assert ours["collects_garbage"]
    first, second = ours.pop("drawn")
    assert first != second
    del theirs["drawn"]
    assert ours["statements"] == ["SELECT", "INSERT", "SELECT", "SELECT", "UPDATE"]
    assert not ours.pop("connects_on_first_request")
    assert theirs.pop("connects_on_first_request")
    assert ours == theirs


def server_processes(stack: RunningStack) -> list[str]:
    """Return the command lines of the server and its workers."""
    lines = stack.command_lines("mlflow").splitlines()
    # A health check may be running too.
    return [line for line in lines if "python" in line and " -S " not in line]


def test_a_server_with_one_worker_must_be_one_process(smallest: RunningStack) -> None:
    if smallest.settings.get("STACK_PROFILE") == "fast":
        pytest.skip("the profile has several workers")
    (server,) = server_processes(smallest)
    assert "serve.py" in server


def test_several_workers_must_be_forked_from_the_process_that_imported_the_app(
    shared: RunningStack,
) -> None:
    server, *workers = server_processes(shared)
    assert len(workers) == int(shared.settings["MLFLOW_WORKERS"]) == 2
    assert all("serve.py" in line for line in (server, *workers))


@contextmanager
def connected(api: Api) -> Iterator[socket.socket]:
    """Open a connection on which no request is sent yet."""
    port = int(api.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        yield connection


def listens(worker: psutil.Process) -> bool:
    """Tell whether a worker accepts connections."""
    found = worker.net_connections(kind="tcp")
    return any(connection.status == psutil.CONN_LISTEN for connection in found)


def lives(worker: psutil.Process) -> bool:
    """Tell whether a worker has not ended, even if its exit code was not collected."""
    try:
        return bool(worker.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@local_only("both engines run the same server")
def test_a_reload_must_replace_every_worker_without_losing_a_request(shared: LocalStack) -> None:
    server = psutil.Process(shared.pids()["mlflow"])
    before = {worker.pid for worker in server.children()}

    def is_replaced() -> bool:
        # Every request must be answered while workers end.
        assert shared.api.post("experiments/search", max_results=1)
        now = [worker.pid for worker in server.children() if lives(worker)]
        return len(now) == len(before) and not before & {*now}

    server.send_signal(signal.SIGHUP)
    wait_until(is_replaced, seconds=30, what="all workers are replaced", poll=0)
    assert shared.api.post("experiments/search", max_results=1)


def answers(api: Api) -> bool:
    """Tell whether a server can be reached."""
    try:
        return api.call("GET", "/health").ok
    except requests.ConnectionError:
        return False


@contextmanager
def server_with(
    stack: LocalStack, folder: Path, workers: int = 2, **variables: str
) -> Iterator[tuple[psutil.Process, Api]]:
    """Start a second server beside a stack, with the stack's packages and a database of its own."""
    (port,) = free_ports(1)
    environ = {**psutil.Process(stack.pids()["mlflow"]).environ(), **variables}
    # It does not belong to the stack.
    del environ["STACK_SERVICE"], environ["STACK_FOLDER"]
    command = (
        *("python", "mlflow/serve.py", "server", f"--port={port}", f"--workers={workers}"),
        *(f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}"),
        "--uvicorn-opts=--loop uvloop --http httptools",
    )
    with psutil.Popen(command, cwd=stack.local_folder, env=environ) as server:
        try:
            api = Api(f"http://127.0.0.1:{port}")
            wait_until(partial(answers, api), seconds=60, what="the server answers")
            yield server, api
        finally:
            # It may have ended by itself.
            with suppress(psutil.NoSuchProcess):
                server.terminate()


@local_only("both engines run the same server")
def test_a_worker_that_has_grown_too_large_must_be_replaced_between_requests(
    shared: LocalStack, tmp_path: Path
) -> None:
    with server_with(shared, tmp_path, WORKER_MEMORY="1") as (server, api):
        before = {worker.pid for worker in server.children()}

        def is_replaced() -> bool:
            assert api.post("experiments/search", max_results=1)
            return not before & {worker.pid for worker in server.children() if lives(worker)}

        wait_until(is_replaced, seconds=30, what="all workers are replaced", poll=0)
        assert api.post("experiments/search", max_results=1)


@local_only("both engines run the same server")
def test_a_server_of_one_process_must_end_when_it_has_grown_too_large(
    shared: LocalStack, tmp_path: Path
) -> None:
    """For example that of a seat, which supervisord starts again."""
    with server_with(shared, tmp_path, workers=1, SERVER_MEMORY="1") as (server, api):
        with connected(api) as client:
            wait_until(lambda: not answers(api), seconds=30, what="it accepts no new connections")
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(64).startswith(b"HTTP/1.1 200 OK")
        assert server.wait(timeout=30) == -signal.SIGTERM


@left_to_soak("it waits for a client")
@local_only("both engines run the same server")
def test_a_client_that_has_gone_silent_must_not_keep_a_seat_from_being_started_again(
    shared: LocalStack, tmp_path: Path
) -> None:
    limits = {"SERVER_MEMORY": "1", "WORKER_ENDS_WITHIN": "2"}
    with (
        server_with(shared, tmp_path, workers=1, **limits) as (server, api),
        connected(api) as client,
    ):
        client.sendall(UNFINISHED)
        assert server.wait(timeout=40) == 1


@left_to_soak("it waits for a client")
@local_only("both engines run the same server")
def test_a_client_that_has_gone_silent_must_not_keep_a_worker_from_being_replaced(
    shared: LocalStack, tmp_path: Path
) -> None:
    """For example a laptop that was closed during an upload."""
    with (
        server_with(shared, tmp_path, WORKER_MEMORY="1", WORKER_ENDS_WITHIN="2") as (server, api),
        connected(api) as client,
    ):
        client.sendall(UNFINISHED)
        before = {worker.pid for worker in server.children()}

        def is_replaced() -> bool:
            return not before & {worker.pid for worker in server.children() if lives(worker)}

        wait_until(is_replaced, seconds=40, what="all workers are replaced")


@local_only("both engines run the same server")
def test_a_worker_that_ends_must_answer_on_every_connection_that_it_has_accepted(
    shared: LocalStack,
) -> None:
    workers = psutil.Process(shared.pids()["mlflow"]).children()
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(shared.api)) for _ in range(CONNECTIONS)]
        for worker in workers:
            worker.terminate()
        wait_until(
            lambda: not any(lives(worker) and listens(worker) for worker in workers),
            seconds=10,
            what="the workers accept no more connections",
            poll=0,
        )
        for connection in connections:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.1 200 OK")
    # Not before the new ones are there, for the next test.
    assert shared.api.post("experiments/search", max_results=1)
