"""From nothing to a proven stack and through its life: only data explicitly deleted is lost."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .conftest import ColdStart, MakeStack
from .running import SERVERS, RunningStack, docker_only, left_to_soak, local_only
from .test_verify import expect_broken
from .tool import SCRIPT, environment, tool
from .watching import PATIENCE, watching

STEPS = [
    *("health", "version", "experiment", "run", "artifact", "artifact 20 MB", "model", "search"),
    *("database", "bucket", "isolation", "network", "clean up"),
]
LOST_OUTPUT = local_only("losing the output of `up` is the same on both engines")
LOST_STREAMS = docker_only("this case shows that the docker commands cope too")


def test_a_cold_start_must_end_healthy_and_proven(cold_start: ColdStart) -> None:
    """Checked in the JSON envelope and by the engine."""
    stack, output = cold_start
    assert output.envelope | {"data": ...} == {
        "version": 1,
        "command": "up",
        "ok": True,
        "data": ...,
        "errors": [],
    }
    assert output.data["project"] == stack.name
    assert output.data["engine"] == stack.engine
    found = {service["name"]: service for service in output.data["services"]}
    assert {name: found[name]["health"] for name in SERVERS} == dict.fromkeys(SERVERS, "healthy")
    assert found["bucket-init"]["state"] == "exited"
    assert [step["name"] for step in output.data["steps"]] == STEPS
    assert all(step["ok"] for step in output.data["steps"])
    assert {name: stack.health(name) for name in SERVERS} == dict.fromkeys(SERVERS, "healthy")


def test_status_must_show_what_runs_and_where(shared: RunningStack) -> None:
    data = shared.tool("status", "--json").data
    assert [service["name"] for service in data["services"]] == [
        *("postgres", "s3", "bucket-init", "mlflow")
    ]
    ports = {service["name"]: service["ports"] for service in data["services"]}
    assert ports["mlflow"] == [f"127.0.0.1:{shared.settings['MLFLOW_PORT']}"]
    assert ports["postgres"] == shared.database_ports
    console = f"http://127.0.0.1{shared.settings['MINIO_CONSOLE_ADDRESS']}"
    urls = {"mlflow": shared.url, "s3": shared.s3_url}
    assert data["urls"] == (urls if shared.one_key else {**urls, "console": console})


@local_only("the same code cleans up inside of both, and each cold start shows that it succeeds")
def test_verify_must_leave_nothing_behind(shared: RunningStack) -> None:
    """Neither a row in any table, in any lifecycle stage, nor an object in the bucket."""
    rows, objects = shared.rows(), shared.objects()
    output = shared.tool("verify", "--json")
    assert output.envelope["ok"]
    assert [step["name"] for step in output.data["steps"]] == STEPS
    assert shared.rows() == rows
    assert shared.objects() == objects


def test_a_second_up_must_recreate_nothing_and_accept_its_own_ports(
    shared: RunningStack,
) -> None:
    ids, starts = shared.ids(), shared.starts()
    assert "taken" not in shared.up().text
    assert shared.ids() == ids
    assert shared.starts() == starts


def test_watching_must_show_that_a_server_was_killed_and_came_back(mended: RunningStack) -> None:
    with watching(mended) as screen:
        screen.shows("postgres", "healthy")
        mended.kill("postgres")
        screen.shows("postgres", "starting")
        screen.shows("postgres", "healthy")
        screen.process.send_signal(signal.SIGINT)
        assert screen.process.wait(PATIENCE) == 130
    mended.is_well = True


def test_down_and_up_must_keep_runs_and_artifacts_when_the_output_of_up_is_not_read(
    mended: RunningStack,
) -> None:
    """As in `mlflow-compose up 2>&1 | true`; in between, `verify` reports a stopped stack."""
    run, volumes = mended.log_run(), mended.volumes()
    mended.tool("down")
    assert mended.ids() == {}
    assert mended.volumes() == volumes
    expect_broken(mended, "the stack is not running", hint="mlflow-compose up")
    reader, writer = os.pipe()
    os.close(reader)
    assert up(mended, output=writer) == 0
    os.close(writer)
    mended.wait_until_healthy(seconds=5)
    mended.expect(run)
    mended.is_well = True


@pytest.mark.parametrize(
    ("redirection", "flags"),
    [
        pytest.param(">/dev/full", [], marks=LOST_OUTPUT),
        pytest.param("<&- >&- 2>&-", ["--json"], marks=LOST_OUTPUT),
        pytest.param("<&- >&- 2>&-", [], marks=LOST_STREAMS),
    ],
)
def test_up_must_finish_its_work_and_fail_when_its_result_cannot_be_written(
    mended: RunningStack, redirection: str, flags: list[str]
) -> None:
    mended.stop("s3")
    assert up(mended, *flags, script=f'exec "$@" {redirection}') == 1
    mended.wait_until_healthy("s3", seconds=5)
    mended.is_well = True


def up(
    stack: RunningStack, *flags: str, script: str = 'exec "$@"', output: int | None = None
) -> int:
    """Start a stack with redirected output and return the exit code."""
    return subprocess.run(
        ["sh", "-c", script, "sh", str(SCRIPT), "up", "--no-verify", *flags],
        cwd=stack.folder,
        env=environment(),
        stdout=output,
        stderr=output,
        check=False,
    ).returncode


@local_only("it refuses before an engine is involved")
def test_down_with_volumes_must_not_delete_anything_unconfirmed(mended: RunningStack) -> None:
    """Without a terminal to ask on, it refuses and touches nothing."""
    run, ids = mended.log_run(), mended.ids()
    output = mended.tool("down", "--volumes", code=2)
    output.shows("--yes")
    assert mended.tool("down", "--volumes", "--json", code=2).envelope["ok"] is False
    assert mended.ids() == ids
    mended.expect(run)
    mended.is_well = True


@left_to_soak("test_pairs.py has more of them")
@docker_only("the stack of plain supervisord shows it in test_local.py")
def test_two_stacks_must_not_see_each_others_runs(
    mended: RunningStack, make_stack: MakeStack
) -> None:
    other = make_stack()
    other.up()
    expect_separate(mended, other)
    mended.is_well = True


def expect_separate(one: RunningStack, other: RunningStack) -> None:
    """Log a run in each stack and assert that the other does not have it."""
    ours, theirs = one.log_run(), other.log_run()
    assert theirs.id not in one.stored_runs()
    assert ours.id not in other.stored_runs()
    assert theirs.key not in one.objects()
    assert ours.key not in other.objects()
    one.expect(ours)
    other.expect(theirs)


def stack_in(folder: Path, engine: str) -> Path:
    """Render another stack into a folder; return the folder of its rendered files."""
    folder.mkdir()
    tool("init", "--set", f"STACK_ENGINE={engine}", folder=folder)
    tool("render", folder=folder)
    return folder / {"docker": "compose"}.get(engine, engine)


def test_the_data_must_survive_a_renamed_folder_but_not_down_with_volumes_and_yes(
    mended: RunningStack, tmp_path: Path
) -> None:
    run, home = mended.log_run(), mended.folder
    before = mended.tool("logs", "postgres").out.splitlines()
    # So long that supervisord's socket no longer fits in there.
    moved = home.rename(tmp_path / ("moved" * 20))
    mended.folder, mended.env_file = moved, moved / ".env"
    pid_file = stack_in(home, mended.engine) / "run" / "supervisord.pid"
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.touch()
    try:
        mended.up()
        assert pid_file.exists()
        mended.expect(run)
        lines = {*mended.tool("logs", "postgres").out.splitlines()} - {*before}
        assert not any("not properly shut down" in line for line in lines)
        mended.tool("down", "--volumes", "--yes")
        assert mended.ids() == {}
        assert mended.volumes() == set()
    finally:
        shutil.rmtree(home)
        moved.rename(home)
        mended.folder, mended.env_file = home, home / ".env"


def test_down_of_nothing_must_succeed(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.tool("down")
    assert stack.tool("status", "--json").data["services"] == []
