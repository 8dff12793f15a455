"""An interrupted migration: the stack is restored or kept, and `status` reports the truth."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest
import requests

from .conftest import MakeStack
from .docker_stack import PROJECT, docker
from .images import image_settings
from .moves import moving, settings_file
from .running import Run, RunningStack, local_only, short_in_ci
from .small import SMALLEST

# A second Ctrl-C also reaches child processes of the docker command, so that case runs on both.
# The last test here ends a migration with SIGTERM.
ONE_WAY = local_only("signals are handled the same on both engines")


@pytest.fixture
def restored(smallest: RunningStack) -> Iterator[RunningStack]:
    """Return the session's stack of one service, which must be restored after a migration."""
    yield smallest
    # Other tests see only the volumes that they expect.
    smallest.tool("migrate-store", "--prune", "--yes")


def to_bucket(stack: RunningStack) -> tuple[str, ...]:
    images = {name: text for name, text in image_settings().items() if name == "MINIO_IMAGE"}
    return (
        "migrate-store",
        "--to",
        "provider=minio",
        "--settings",
        settings_file(stack.folder, images),
    )


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


@short_in_ci
@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(hang_up, 129, marks=ONE_WAY),
        (interrupt, 130),
    ],
)
def test_a_signal_while_data_moves_must_restore_the_stack(
    restored: RunningStack, end: Callable[["subprocess.Popen[str]"], None], code: int
) -> None:
    run, env = restored.log_run(), restored.env_file.read_text(encoding="utf-8")
    with moving(restored, *to_bucket(restored)) as process:
        end(process)
        process.send_signal(signal.SIGCONT)
        if end is interrupt:
            assert process.stdout
            assert any(line.startswith(("$ docker compose", "Starting")) for line in process.stdout)
            interrupt(process)
        output = "" if end is hang_up else process.communicate(timeout=120)[0]
        assert process.wait(timeout=120) == code, output
    expect_restored(restored, run, env)


@short_in_ci
def test_a_killed_migration_must_be_reported_and_repaired_by_up(restored: RunningStack) -> None:
    run, env = restored.log_run(), restored.env_file.read_text(encoding="utf-8")
    with moving(restored, *to_bucket(restored)) as process:
        found = restored.tool("status", "--json").data
        assert found["migration"]["state"] == "running"
        assert found["migration"]["pid"] == process.pid
        (mlflow,) = (one for one in found["services"] if one["name"] == "mlflow")
        assert (mlflow["health"], mlflow["ports"]) == ("", [])
        with pytest.raises(requests.ConnectionError):
            restored.api.get("runs/get", run_id=run.id)
        output = restored.up(code=1)
        output.shows("error: migrate-store has been working on this stack since", str(process.pid))
        process.kill()
        process.wait()
    restored.tool("status").shows(
        "a migration was interrupted", "mlflow-compose up restores the stack"
    )
    restored.up()
    expect_restored(restored, run, env)


@ONE_WAY
def test_a_run_logged_to_the_new_stores_must_survive_an_interrupted_migration(
    make_stack: MakeStack,
) -> None:
    """MLflow already answers while the stack is being proven."""
    small = make_stack(**SMALLEST)
    small.up()
    run, before = small.log_run(), small.env_file.read_text(encoding="utf-8")
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
