"""An interrupted migration: the stack is restored or kept, and `status` reports the truth."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from .conftest import MakeStack
from .docker_stack import PROJECT, docker
from .images import image_settings
from .moves import settings_file
from .running import Run, RunningStack, local_only
from .tool import SCRIPT, environment

Migration = "subprocess.Popen[str]"
# A second Ctrl-C also reaches child processes of the docker command, so that case runs on both.
ONE_WAY = local_only("signals are handled the same on both engines")


@pytest.fixture(scope="module")
def small(_make_for_module: MakeStack) -> RunningStack:
    """Return a running stack of one service."""
    stack = _make_for_module(BACKEND_STORE="sqlite", ARTIFACT_STORE="local")
    stack.up()
    return stack


@pytest.fixture
def run(small: RunningStack) -> Run:
    """Return a run that was logged before the migration."""
    return small.log_run()


def to_bucket(stack: RunningStack) -> tuple[str, ...]:
    images = {name: text for name, text in image_settings().items() if name == "MINIO_IMAGE"}
    return (
        "migrate-store",
        "--to",
        "provider=minio",
        "--settings",
        settings_file(stack.folder, images),
    )


@contextmanager
def moving(
    stack: RunningStack, *command: str, until: str = "Copying objects"
) -> Iterator["subprocess.Popen[str]"]:
    """Suspend a migration at one of its steps; it has its own session, as in a terminal."""
    with subprocess.Popen(
        [SCRIPT, *(command or to_bucket(stack))],
        cwd=stack.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        before = []
        for line in process.stdout:
            before.append(line)
            if line.startswith(until):
                break
        else:
            pytest.fail("".join(before))
        process.send_signal(signal.SIGSTOP)
        yield process
        process.kill()


def expect_restored(stack: RunningStack, run: Run, env: str) -> None:
    """Assert that the stack answers as before, with all its data."""
    assert stack.env_file.read_text(encoding="utf-8") == env
    data = stack.api.get("runs/get", run_id=run.id)["run"]["data"]
    assert [metric["value"] for metric in data["metrics"]] == [run.loss]
    assert stack.api.artifact("GET", run.key).content == run.artifact
    found = stack.tool("status", "--json").data
    assert found["migration"] is None
    assert [(one["name"], one["health"]) for one in found["services"]] == [("mlflow", "healthy")]
    if stack.engine == "docker":
        ids = docker("ps", "--all", "--quiet", "--filter", f"label={PROJECT}={stack.name}").out
        assert len(ids.split()) == 1


def terminate(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)


def hang_up(process: "subprocess.Popen[str]") -> None:
    """Close its output as well, as a terminal does."""
    assert process.stdout
    process.stdout.close()
    process.send_signal(signal.SIGHUP)


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C, which signals the whole process group."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(terminate, 143, marks=ONE_WAY),
        pytest.param(hang_up, 129, marks=ONE_WAY),
        (interrupt, 130),
    ],
)
def test_a_signal_while_data_moves_must_restore_the_stack(
    small: RunningStack, run: Run, end: Callable[["subprocess.Popen[str]"], None], code: int
) -> None:
    env = small.env_file.read_text(encoding="utf-8")
    with moving(small) as process:
        end(process)
        process.send_signal(signal.SIGCONT)
        if end is interrupt:
            assert process.stdout
            assert any(line.startswith(("$ docker compose", "Starting")) for line in process.stdout)
            interrupt(process)
        output = "" if end is hang_up else process.communicate(timeout=120)[0]
        assert process.wait(timeout=120) == code, output
    expect_restored(small, run, env)


def test_a_killed_migration_must_be_reported_and_repaired_by_up(
    small: RunningStack, run: Run
) -> None:
    env = small.env_file.read_text(encoding="utf-8")
    with moving(small) as process:
        found = small.tool("status", "--json").data
        assert found["migration"]["state"] == "running"
        assert found["migration"]["pid"] == process.pid
        (mlflow,) = (one for one in found["services"] if one["name"] == "mlflow")
        assert (mlflow["health"], mlflow["ports"]) == ("", [])
        with pytest.raises(requests.ConnectionError):
            small.api.get("runs/get", run_id=run.id)
        output = small.up(code=1)
        output.shows("error: migrate-store has been working on this stack since", str(process.pid))
        process.kill()
        process.wait()
    small.tool("status").shows(
        "a migration was interrupted", "mlflow-compose up restores the stack"
    )
    small.up()
    expect_restored(small, run, env)


@ONE_WAY
def test_a_closed_pipe_must_not_stop_a_migration(small: RunningStack, run: Run) -> None:
    """As with `2>&1 | head -1`; afterwards the stack uses the new store."""
    with moving(small) as process:
        assert process.stdout
        process.stdout.close()
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=180) == 0
    small.expect(run)
    assert small.tool("status", "--json").data["migration"] is None


@ONE_WAY
def test_a_run_logged_to_the_new_stores_must_survive_an_interrupted_migration(
    small: RunningStack, run: Run
) -> None:
    """MLflow already answers while the stack is being proven."""
    before = small.env_file.read_text(encoding="utf-8")
    command = (*to_bucket(small), "--to", "postgres=postgres")
    with moving(small, *command, until="Proving") as process:
        stored = small.log_run()
        terminate(process)
        process.send_signal(signal.SIGCONT)
        output = process.communicate(timeout=120)[0]
        assert process.returncode == 143, output
    assert "mlflow-compose up finishes the migration" in output
    small.tool("status").shows("mlflow-compose up finishes it")
    small.tool("migrate-store", "--prune", "--yes", code=2).shows("a migration has not ended")
    after = small.env_file.read_text(encoding="utf-8")
    small.env_file.write_text(before, encoding="utf-8")
    small.up(code=1).shows("the data of this stack is elsewhere: runs are in PostgreSQL")
    small.env_file.write_text(after, encoding="utf-8")
    small.up()
    small.tool("migrate-store", "--prune", "--yes").shows("deleted: mlflow_data")
    for logged in (run, stored):
        small.expect(logged)
