"""From nothing to a proven stack, and through its life: nothing is lost that was not given up."""

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import ColdStart, MakeStack
from .running import SERVERS, RunningStack, local_only
from .test_verify import expect_broken
from .tool import SCRIPT, environment
from .waiting import wait_until

STEPS = [
    *("health", "version", "experiment", "run", "artifact", "artifact 20 MB", "model", "search"),
    *("database", "bucket", "isolation", "network", "clean up"),
]
# On Docker, a run with no outputs at all shows that its commands do without them as well.
SAID = local_only("what `up` says is lost in one way, whatever the engine")


def test_a_cold_start_must_end_healthy_and_proven(cold_start: ColdStart) -> None:
    """The JSON envelope says so, and the engine agrees."""
    stack, said = cold_start
    assert said.envelope | {"data": ...} == {
        "version": 1,
        "command": "up",
        "ok": True,
        "data": ...,
        "errors": [],
    }
    assert said.data["project"] == stack.name
    assert said.data["engine"] == stack.engine
    found = {service["name"]: service for service in said.data["services"]}
    assert {name: found[name]["health"] for name in SERVERS} == dict.fromkeys(SERVERS, "healthy")
    assert found["bucket-init"]["state"] == "exited"
    assert [step["name"] for step in said.data["steps"]] == STEPS
    assert all(step["ok"] for step in said.data["steps"])
    assert {name: stack.health(name) for name in SERVERS} == dict.fromkeys(SERVERS, "healthy")


def test_status_must_say_what_runs_and_where(shared: RunningStack) -> None:
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


def test_verify_must_leave_nothing_behind(shared: RunningStack) -> None:
    """Neither a row in any table, in any lifecycle stage, nor an object in the bucket."""
    rows, objects = shared.rows(), shared.objects()
    said = shared.tool("verify", "--json")
    assert said.envelope["ok"]
    assert [step["name"] for step in said.data["steps"]] == STEPS
    assert shared.rows() == rows
    assert shared.objects() == objects


def test_a_second_up_must_recreate_nothing_and_not_mind_its_own_ports(
    shared: RunningStack,
) -> None:
    ids, starts = shared.ids(), shared.starts()
    assert "taken" not in shared.up().text
    assert shared.ids() == ids
    assert shared.starts() == starts


def test_a_run_must_survive_kill_9_of_each_server(mended: RunningStack) -> None:
    """They come back by themselves, and what a client was told is stored is there."""
    run, ids = mended.log_run(), mended.ids()
    # MLflow first: it must outlive the others, with the connections that it has to them.
    for service in reversed(SERVERS):
        before = mended.starts()[service]
        mended.kill(service)
        comes_back(mended, service, before)
        mended.expect(run)
    assert mended.ids() == ids
    mended.verify()
    mended.is_well = True


def comes_back(stack: RunningStack, service: str, before: str) -> None:
    """Wait until a server that was killed is started again, and all are healthy."""
    wait_until(
        lambda: stack.starts().get(service, before) != before,
        seconds=30,
        what=f"{service} is started again by the engine",
    )
    stack.wait_until_healthy(seconds=90)


def test_down_and_up_must_keep_runs_and_artifacts_when_nobody_reads_what_up_says(
    mended: RunningStack,
) -> None:
    """As in `mlflow-compose up 2>&1 | true`; in between, `verify` says that nothing runs."""
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
        pytest.param(">/dev/full", [], marks=SAID),
        pytest.param(">/dev/full", ["--json"], marks=SAID),
        pytest.param("<&- >&- 2>&-", ["--json"], marks=SAID),
        ("<&- >&- 2>&-", []),
    ],
)
def test_up_must_fail_after_its_work_when_its_result_is_lost(
    mended: RunningStack, redirection: str, flags: list[str]
) -> None:
    mended.stop("s3")
    assert up(mended, *flags, script=f'exec "$@" {redirection}') == 1
    mended.wait_until_healthy("s3", seconds=5)
    mended.is_well = True


def up(
    stack: RunningStack, *flags: str, script: str = 'exec "$@"', output: int | None = None
) -> int:
    """Start a stack with other outputs than ours; return the exit code."""
    return subprocess.run(
        ["sh", "-c", script, "sh", str(SCRIPT), "up", "--no-verify", *flags],
        cwd=stack.folder,
        env=environment(),
        stdout=output,
        stderr=output,
        check=False,
    ).returncode


def test_down_with_volumes_must_not_delete_anything_unasked(mended: RunningStack) -> None:
    """Where there is no terminal to ask on, it refuses and touches nothing."""
    run, ids = mended.log_run(), mended.ids()
    said = mended.tool("down", "--volumes", code=2)
    said.shows("--yes")
    assert mended.tool("down", "--volumes", "--json", code=2).envelope["ok"] is False
    assert mended.ids() == ids
    mended.expect(run)
    mended.is_well = True


@pytest.fixture(scope="module")
def other(_make_for_module: MakeStack) -> RunningStack:
    """Return a running stack that is deleted in the end."""
    stack = _make_for_module()
    stack.up()
    return stack


def test_two_stacks_must_not_see_each_others_runs(
    mended: RunningStack, other: RunningStack
) -> None:
    ours, theirs = mended.log_run(), other.log_run()
    assert theirs.id not in mended.stored_runs()
    assert ours.id not in other.stored_runs()
    assert theirs.key not in mended.objects()
    assert ours.key not in other.objects()
    mended.expect(ours)
    other.expect(theirs)
    mended.is_well = True


def test_the_data_must_survive_another_name_of_the_folder_but_not_down_with_volumes_and_yes(
    other: RunningStack, tmp_path: Path
) -> None:
    run, home = other.log_run(), other.folder
    moved = home.rename(tmp_path / "moved")
    other.folder, other.env_file = moved, moved / ".env"
    try:
        other.up()
        other.expect(run)
        other.tool("down", "--volumes", "--yes")
        assert other.ids() == {}
        assert other.volumes() == set()
    finally:
        moved.rename(home)
        other.folder, other.env_file = home, home / ".env"


def test_down_of_nothing_must_succeed(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.tool("down")
    assert stack.tool("status", "--json").data["services"] == []
