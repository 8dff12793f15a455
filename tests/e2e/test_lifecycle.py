"""From nothing to a proven stack, and through its life: nothing is lost that was not given up."""

import os
import subprocess

import pytest

from .conftest import ColdStart, MakeStack
from .running import SERVERS, RunningStack
from .tool import SCRIPT, environment

STEPS = [
    *("health", "version", "experiment", "run", "artifact", "artifact 20 MB", "model", "search"),
    *("database", "bucket", "isolation", "network", "clean up"),
]


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


def test_a_second_up_must_recreate_nothing(shared: RunningStack) -> None:
    ids, starts = shared.ids(), shared.starts()
    shared.up()
    assert shared.ids() == ids
    assert shared.starts() == starts


def test_two_stacks_must_not_see_each_others_runs(
    shared: RunningStack, mended: RunningStack
) -> None:
    ours, theirs = shared.log_run(), mended.log_run()
    assert theirs.id not in shared.stored_runs()
    assert ours.id not in mended.stored_runs()
    assert theirs.key not in shared.objects()
    assert ours.key not in mended.objects()
    shared.expect(ours)
    mended.expect(theirs)


def test_a_changed_port_must_recreate_only_mlflow(mended: RunningStack, free_port: int) -> None:
    run, before, starts = mended.log_run(), mended.ids(), mended.starts()
    mended.write(MLFLOW_PORT=str(free_port))
    mended.up()
    after = mended.ids()
    assert {name for name, start in mended.starts().items() if start != starts[name]} == {"mlflow"}
    assert {name for name in after if after[name] != before[name]} == {"mlflow"}
    mended.expect(run)


def test_down_and_up_must_keep_runs_and_artifacts(mended: RunningStack) -> None:
    run, volumes = mended.log_run(), mended.volumes()
    mended.tool("down")
    assert mended.ids() == {}
    assert mended.volumes() == volumes
    mended.up()
    mended.expect(run)


def test_up_must_finish_its_work_when_nobody_reads_what_it_says(mended: RunningStack) -> None:
    """As in `mlflow-compose up 2>&1 | true`."""
    run = mended.log_run()
    mended.tool("down")
    reader, writer = os.pipe()
    os.close(reader)
    assert up(mended, output=writer) == 0
    os.close(writer)
    mended.wait_until_healthy(seconds=5)
    mended.expect(run)


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("redirection", [">/dev/full", "<&- >&- 2>&-"])
def test_up_must_fail_after_its_work_when_its_result_is_lost(
    mended: RunningStack, redirection: str, flags: list[str]
) -> None:
    mended.stop("s3")
    assert up(mended, *flags, script=f'exec "$@" {redirection}') == 1
    mended.wait_until_healthy("s3", seconds=5)


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


def test_down_with_volumes_and_yes_must_delete_the_data(mended: RunningStack) -> None:
    mended.tool("down", "--volumes", "--yes")
    assert mended.ids() == {}
    assert mended.volumes() == set()


def test_down_of_nothing_must_succeed(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.tool("down")
    assert stack.tool("status", "--json").data["services"] == []
