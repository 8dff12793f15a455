"""`gc` frees what nothing uses any more, and nothing else."""

import json
import os
import subprocess
import uuid
from random import Random

import psutil
import pytest

from . import garbage
from .docker_stack import DockerStack, docker
from .garbage import (
    APPLY,
    GET_EXPERIMENT,
    Garbage,
    collect_later,
    copies_of,
    existing,
    make_garbage,
    stored,
)
from .running import SOAK, Run, RunningStack, short_in_ci
from .small import kept
from .tool import SCRIPT, environment
from .tracking import MLFLOW
from .waiting import wait_until

RUNS = 100


def expect_report(stack: RunningStack, found: Garbage) -> None:
    """Assert that `gc` alone reports everything and changes nothing."""
    before = stored(stack)
    data = stack.tool("gc", "--json").data
    assert stored(stack) == before
    assert len(existing(stack, *found.runs)) == len(found.runs)
    assert not data["applied"]
    gone = {
        "kind": "run",
        "id": found.live.id,
        "object_key": f"{found.live.experiment_id}/{found.live.id}/artifacts/gone.json",
    }
    assert gone in data["missing"]
    assert found.ghost in {each["id"] for each in data["missing"]}
    experiments = {each["id"]: each for each in data["experiments"]}
    of_live = experiments[found.live.experiment_id]
    assert (of_live["objects"], of_live["bytes"]) == (2, 2 * len(found.live.artifact))
    least = {
        "deleted_runs": 2,
        "deleted_models": 1,
        "recently_deleted": 1,
        "used": 1,
        "young_orphans": 1,
        "other": 2,
    }
    assert {name: data["groups"][name]["objects"] >= number for name, number in least.items()} == (
        dict.fromkeys(least, True)
    )
    assert data["groups"]["deleted_experiments"]["count"] >= 1


def expect_freed(stack: RunningStack, found: Garbage) -> None:
    """Assert that `--apply` frees the deleted runs and the experiment, and keeps the rest."""
    before = stored(stack)
    data = stack.tool("gc", "--apply", "--yes", "--json").data
    saved = (stack.folder / "backups" / data["backup"] / "manifest.json").read_text(
        encoding="utf-8"
    )
    assert json.loads(saved)["objects"]["count"] == len(before)
    freed = (found.deleted, found.emptied)
    assert existing(stack, *found.runs) == {run.id for run in {*found.runs} - {*freed}}
    wanted = {"experiment_id": found.emptied.experiment_id}
    assert stack.api.call("GET", GET_EXPERIMENT, params=wanted).status_code == 404
    after = stored(stack)
    assert before.keys() - after.keys() >= {found.model, *(run.key for run in freed)}
    mine = {run.id for run in found.runs}
    expected = {
        key: digest
        for key, digest in before.items()
        if (mine & {*key.split("/")} or key in {found.orphan, *found.foreign})
        and key not in {run.key for run in freed}
    }
    assert stack.api.call("GET", f"{MLFLOW}/logged-models/{found.ghost}").ok
    assert {key: after.get(key) for key in expected} == expected
    assert {found.orphan, *found.foreign} <= expected.keys()
    assert data["freed"]["runs"] >= len(freed)
    assert data["freed"]["experiments"] >= 1


def expect_orphans_freed_later(stack: RunningStack, found: Garbage) -> None:
    """Assert that orphans are deleted once they are old, and nothing of others."""
    before = stored(stack)
    assert collect_later(stack)["objects"] >= 1
    after = stored(stack)
    assert found.orphan in before.keys() - after.keys()
    expected = [*found.foreign, found.live.key, found.recent.key, found.registered.key]
    assert [after[key] for key in expected] == [before[key] for key in expected]
    assert found.live.id in existing(stack, *found.runs)


@short_in_ci
def test_only_what_nothing_uses_must_be_freed(shared: RunningStack) -> None:
    """In the database, and in the bucket."""
    found = make_garbage(shared)
    expect_report(shared, found)
    expect_freed(shared, found)
    expect_orphans_freed_later(shared, found)


def test_settings_of_another_database_must_not_make_orphans_of_all_objects(
    smallest: RunningStack,
) -> None:
    run = smallest.log_run()
    smallest.tool(*APPLY, code=2, BACKEND_STORE="postgres")
    assert smallest.api.artifact("GET", run.key).content == run.artifact


# --- killed


def keys_of(*runs: Run) -> set[str]:
    """Return the keys of runs with two files each."""
    second = {f"{run.experiment_id}/{run.id}/artifacts/z/second.bin" for run in runs}
    return second | {run.key for run in runs}


def kill_gc(stack: RunningStack, runs: list[Run], limit: int) -> None:
    """Start `gc --apply`, and kill it with everything that it started after some runs."""
    with subprocess.Popen(
        [str(SCRIPT), *APPLY],
        cwd=stack.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        containers = one_offs_of(stack)
        garbage.wait_for_fewer(stack, runs, limit)
        assert process.poll() is None, "gc was done before it could be killed"
        if containers:
            docker("kill", *containers)
        started = psutil.Process(process.pid)
        for each in [*started.children(recursive=True), started]:
            each.kill()
    if containers:
        docker("rm", "--force", *containers, code=None)


def one_offs_of(stack: RunningStack) -> list[str]:
    """Return the containers in which gc works, once there are any; empty without Docker."""
    if isinstance(stack, DockerStack):
        wait_until(stack.one_offs, seconds=30, what="gc has a container")
        return stack.one_offs()
    return []


@short_in_ci
@pytest.mark.parametrize("seed", range(10 if os.environ.get(SOAK) == "1" else 1))
def test_a_killed_gc_must_leave_whole_runs_and_the_next_must_finish(
    smallest: RunningStack, seed: int
) -> None:
    """A run that can still be restored has all of its files; in a SQLite file and a folder."""
    live = smallest.log_run()
    for key in keys_of(live):
        smallest.api.artifact("PUT", key, live.artifact)
    runs = copies_of(smallest, live, RUNS)
    orphan = f"{live.experiment_id}/{uuid.uuid4().hex}/artifacts/x"
    foreign = f"{live.experiment_id}/notes.txt"
    for key in (orphan, foreign):
        smallest.api.artifact("PUT", key, live.artifact)
    kill_gc(smallest, runs, Random(seed).randint(RUNS // 3, RUNS))  # noqa: S311 - repeatable
    # MLflow rolls an interrupted transaction back; a reader of the file could not.
    assert existing(smallest, live)
    killed = kept(smallest)
    left = [run for run in runs if run.id in killed.runs]
    assert 0 < len(left) < RUNS
    assert {orphan, foreign, *keys_of(live, *left)} <= killed.files.keys()
    collect_later(smallest)
    end = kept(smallest)
    assert {live.id} == {live.id, *(run.id for run in runs)} & {*end.runs}
    after = end.files
    assert not {orphan, *keys_of(*runs)} & after.keys()
    assert [after[key] for key in (foreign, live.key)] == [
        killed.files[key] for key in (foreign, live.key)
    ]
