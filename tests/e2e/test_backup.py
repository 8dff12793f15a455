"""`backup` and `restore`: what was stored is there again, whatever happened in between."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ENGINES, LIVE, MakeStack
from .images import image_settings
from .kept_data import ARTIFACTS, Writers, answers, everything, fill
from .running import SERVERS, SOAK, RunningStack, left_to_soak, short_in_ci
from .small import kept
from .tool import SCRIPT, environment, tool
from .tracking import Api

pytestmark = pytest.mark.soak

ENGINE = {"docker": "local", "local": "docker"}
STUDENT = ("ada", "a password of 20 characters")
# Clients that write while a snapshot is taken.
CLIENTS = 8


@pytest.fixture(scope="module")
def filled(_make_for_module: MakeStack) -> RunningStack:
    """Return a running stack with data of every kind, and a snapshot of it."""
    stack = _make_for_module(MLFLOW_AUTH="basic")
    stack.up()
    fill(stack)
    stack.api.post("users/create", username=STUDENT[0], password=STUDENT[1])
    stack.tool("backup", "first")
    return stack


def snapshot_names(stack: RunningStack) -> list[str]:
    """Return the names of all complete snapshots."""
    found = stack.tool("snapshots", "--json").data["snapshots"]
    return [each["name"] for each in found if each["complete"]]


def contents(stack: RunningStack, name: str) -> set[Path]:
    """Return the files with the contents of a snapshot's objects."""
    return set((stack.folder / "backups" / name / "objects").glob("*/*"))


def test_a_snapshot_must_be_whole_and_share_what_has_not_changed(filled: RunningStack) -> None:
    count = len(ARTIFACTS) + 1
    assert filled.tool("backup", "--verify", "first", "--json").data["objects"] == count
    filled.log_run()
    data = filled.tool("backup", "second", "--json").data
    assert (data["sent"], data["snapshot"]["objects"]) == (1, count + 1)
    shared = {path.stat().st_ino for path in contents(filled, "first")}
    assert len({path.stat().st_ino for path in contents(filled, "second")} - shared) == 1
    assert snapshot_names(filled) == ["first", "second"]
    filled.tool("backup", "third", "--keep", "2")
    assert snapshot_names(filled) == ["second", "third"]
    filled.tool("backup", "--verify", "second")
    manifest = json.loads((filled.folder / "backups" / "third" / "manifest.json").read_bytes())
    known = {*SERVERS, "bucket-init"} if filled.engine == "docker" else set()
    assert {*manifest["image_ids"]} == known
    assert all(each.startswith("sha256:") for each in manifest["image_ids"].values())


@short_in_ci
def test_a_snapshot_must_not_miss_an_artifact_of_a_run_in_it(filled: RunningStack) -> None:
    """Although clients write while it is taken."""
    writers = Writers(filled, CLIENTS)
    try:
        filled.tool("backup", "under-load")
    finally:
        writers.stop()
    assert len(writers.acknowledged) > CLIENTS
    # In CI, other tests take the processor meanwhile.
    assert writers.longest < 1 or os.environ.get(SOAK) != "1"
    filled.tool("restore", "under-load", "--yes")
    finished = set(filled.sql("SELECT run_uuid FROM runs WHERE status = 'FINISHED'"))
    found = filled.objects()
    kept = finished & set(writers.acknowledged)
    assert kept
    assert {run for run in kept if writers.acknowledged[run] not in found} == set()


@short_in_ci
def test_a_snapshot_must_bring_back_what_was_deleted_with_its_volumes(filled: RunningStack) -> None:
    """On the same machine or on another one: nothing but `.env` and the snapshot is left."""
    before, seen = everything(filled), answers(filled)
    filled.tool("backup", "all")
    filled.tool("down", "--volumes", "--yes")
    # Starts the stack, because it does not run.
    data = filled.tool("restore", "all", "--yes", "--json").data
    assert data["snapshot"]["rows"]["runs"] == len(filled.stored_runs())
    assert everything(filled) == before
    assert answers(filled) == seen
    as_student = Api(filled.url, STUDENT).get("users/get", username=STUDENT[0])
    assert as_student["user"]["username"] == STUDENT[0]


@pytest.fixture
def other(engine: str, tmp_path: Path) -> Iterator[RunningStack]:
    """Return a stack on the other engine, with another S3 server; it is not started."""
    # Without Docker, the S3 server is rclone.
    server = {"S3_PROVIDER": "versitygw", **image_settings("versitygw")}
    settings = {"MLFLOW_AUTH": "basic", **(server if engine == "local" else {})}
    stack = ENGINES[ENGINE[engine]](tmp_path, settings)
    LIVE.append(stack)
    yield stack
    LIVE.remove(stack)
    stack.purge()


@left_to_soak("the other restores take the same steps")
@pytest.mark.docker
def test_a_snapshot_must_fit_another_engine_and_s3_server(
    filled: RunningStack, other: RunningStack
) -> None:
    filled.tool("backup", "moved")
    filled.tool("restore", "moved", "--into", str(other.folder), "--yes")
    (tables, objects), (copied, stored) = everything(filled), everything(other)
    # The admin has the password of the other stack's settings.
    differ = [row.split("|")[0] for row in {*tables} ^ {*copied}]
    assert (differ, stored) == (["users", "users"], objects)
    assert answers(other) == answers(filled)
    assert Api(other.url, STUDENT).call("GET", "/version").ok


@left_to_soak("the other restores take the same steps")
@pytest.mark.parametrize("seed", range(10 if os.environ.get(SOAK) == "1" else 1))
def test_a_killed_command_must_leave_the_old_state_or_the_new_one(
    filled: RunningStack, seed: int
) -> None:
    """And the next command must say which."""
    chance, name = random.Random(seed), f"killed-{seed}"  # noqa: S311 - repeatable
    saved = filled.tool("backup", f"before-{seed}", "--json").data["snapshot"]
    command = ["restore", saved["name"]] if seed % 2 == 0 else ["reset"]
    filled.log_run()
    before = everything(filled)
    kill(filled, chance.uniform(0.5, 4), "backup", name)
    complete = name in snapshot_names(filled)
    assert complete is (filled.folder / "backups" / name).exists()
    assert everything(filled) == before
    kill(filled, chance.uniform(3, 9), *command, "--yes")
    is_between = (filled.folder / ".mlflow-compose" / "restoring.json").exists()
    if is_between:
        assert (
            "interrupted"
            in filled.tool("backup", "--json", code=1).envelope["errors"][0]["message"]
        )
    filled.up()
    runs = saved["rows"]["runs"] if seed % 2 == 0 else 0
    assert everything(filled) == before or (not is_between and len(filled.stored_runs()) == runs)


@left_to_soak("the other restores take the same steps")
def test_tables_that_cannot_be_replaced_must_stay_with_their_objects(
    filled: RunningStack,
) -> None:
    """A view of someone else's refers to them, so that PostgreSQL does not drop them."""
    filled.tool("backup", "kept")
    filled.log_run()
    before = everything(filled)
    filled.sql("CREATE VIEW theirs AS SELECT * FROM runs")
    try:
        for command in (["restore", "kept"], ["reset"]):
            error = filled.tool(*command, "--yes", "--json", code=1).envelope["errors"][0]
            assert "other objects depend on" in error["message"]
            assert everything(filled) == before
            assert filled.api.call("GET", "/version").ok
    finally:
        filled.sql("DROP VIEW theirs")


def kill(stack: RunningStack, after: float, *arguments: str) -> None:
    """Kill a command after some seconds, unless it has ended."""
    process = subprocess.Popen(
        [str(SCRIPT), *arguments],
        cwd=stack.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def small(_make_for_module: MakeStack) -> RunningStack:
    """Return a stack with a SQLite file and a folder of artifacts, and a snapshot of it."""
    stack = _make_for_module(BACKEND_STORE="sqlite", ARTIFACT_STORE="local")
    stack.up()
    fill(stack)
    stack.tool("backup", "small")
    return stack


@left_to_soak("the other restores take the same steps")
def test_a_file_and_a_folder_must_be_emptied_and_that_undone(small: RunningStack) -> None:
    run, before = small.log_run(), everything(small)
    saved = small.tool("reset", "--yes", "--json").data["saved"]
    found = kept(small)
    assert (found.runs, found.files) == ([], {})
    small.log_run()
    small.tool("restore", saved, "--yes")
    assert everything(small) == before
    assert small.api.artifact("GET", run.key).content == run.artifact


@short_in_ci
def test_a_snapshot_must_be_restored_into_a_new_stack_beside_the_old_one(
    small: RunningStack, tmp_path: Path
) -> None:
    before, folder = kept(small), tmp_path / "A Copy"
    run = small.log_run()
    small.tool("restore", "small", "--into", str(folder))
    try:
        status = tool("status", "--json", folder=folder).data
        assert status["project"] == "a-copy"
        copied = Api(status["urls"]["mlflow"]).post(
            "runs/search", experiment_ids=["1"], max_results=10
        )
        assert {run["info"]["run_id"] for run in copied["runs"]} <= {*before.runs}
        assert len(copied["runs"]) > 1
        assert small.api.artifact("GET", run.key).content == run.artifact
    finally:
        tool("down", "--volumes", "--yes", folder=folder)


@left_to_soak("restore takes the same steps")
def test_a_reset_to_a_snapshot_must_bring_it_back(small: RunningStack) -> None:
    small.tool("reset", "--to", "small", "--yes")
    assert len(kept(small).runs) == 3
    assert len(kept(small).files) == len(ARTIFACTS) + 1


@left_to_soak("the other restores take the same steps")
def test_a_file_and_a_folder_must_be_restored_into_a_database_and_a_bucket(
    small: RunningStack, filled: RunningStack
) -> None:
    seen = answers(small)
    shutil.copytree(small.folder / "backups" / "small", filled.folder / "backups" / "small")
    filled.tool("restore", "small", "--yes")
    assert answers(filled) == seen
    filled.tool("backup", "of-postgres")
    error = refused(small, filled, "of-postgres")
    assert "SQLite" in error


def refused(stack: RunningStack, other: RunningStack, name: str) -> str:
    """Return why a stack does not restore a snapshot of another one."""
    shutil.copytree(other.folder / "backups" / name, stack.folder / "backups" / name)
    errors = stack.tool("restore", name, "--yes", "--json", code=1).envelope["errors"]
    message: str = errors[0]["message"]
    return message


@short_in_ci
@pytest.mark.parametrize("damage", ["flipped", "missing", "short", "manifest"])
def test_a_damaged_snapshot_must_be_refused_before_anything_is_touched(
    small: RunningStack, damage: str
) -> None:
    top = small.folder / "backups"
    damaged = shutil.copytree(top / "small", top / f"damaged-{damage}")
    content = next(path for path in damaged.glob("objects/*/*") if path.stat().st_size)
    content.chmod(0o600)
    if damage == "missing":
        content.unlink()
    elif damage == "flipped":
        content.write_bytes(bytes([content.read_bytes()[0] ^ 1]) + content.read_bytes()[1:])
    elif damage == "short":
        file = damaged / "database.sqlite"
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file = damaged / "manifest.json"
        file.write_text(file.read_text(encoding="utf-8").replace('"runs": 3', '"runs": 4'))
    before, names = everything(small), snapshot_names(small)
    error = small.tool("restore", damaged.name, "--yes", "--json", code=1).envelope["errors"][0]
    assert error["code"] == "snapshot"
    assert "damaged" in error["message"]
    assert everything(small) == before
    assert snapshot_names(small) == names
