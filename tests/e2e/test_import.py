"""`import` brings a folder, a SQLite file or another server into the stack, completely and once."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from . import import_sources
from .import_client import FILES, LARGE, LARGE_PATH, POINTS
from .import_sources import DAMAGED, MANY, Source
from .local_stack import LocalStack
from .mlruns import Mlruns
from .rows import Rows
from .running import RunningStack, docker_only, left_to_soak, local_only, short_in_ci
from .tool import SCRIPT, environment, run
from .waiting import wait_until

SAME = "the same code imports the same rows on both engines, and this one starts faster"
TOOL = "it is refused before an engine is involved"
LEFT_OF_FOLDER = (f"run {DAMAGED}: its meta.yaml is damaged",)


folder, origin = import_sources.folder, import_sources.origin
database, server = import_sources.database, import_sources.server


@pytest.fixture
def target(shared: RunningStack) -> RunningStack:
    """Return the stack on PostgreSQL and S3 that everything is imported into."""
    return shared


def expect(stack: RunningStack, source: Source) -> None:
    """Assert that everything is in the database and the bucket exactly once."""
    expect_rows(stack, source)
    places = Rows(stack, source.name).places()
    sizes = {
        f"{place}/artifacts/{path}": len(content)
        for place in places.values()
        for path, content in FILES.items()
    }
    first = f"{places[source.runs[0]]}/artifacts"
    sizes[f"{first}/{LARGE_PATH}"] = len(LARGE)
    experiments = tuple(f"{place.partition('/')[0]}/" for place in places.values())
    stored = {key: size for key, size in stack.objects().items() if key.startswith(experiments)}
    # A folder keeps spans as artifacts.
    assert {key: size for key, size in stored.items() if "/traces/" not in key} == sizes
    for path, content in {**FILES, LARGE_PATH: LARGE}.items():
        assert stack.api.artifact("GET", f"{first}/{quote(path)}").content == content
    expect_models(stack, source, f"mlflow-artifacts:/{first}/model")


def expect_rows(stack: RunningStack, source: Source) -> None:
    """Assert that everything is in the database exactly once."""
    assert Rows(stack, source.name).counts() == {
        "runs": source.count,
        "params": 2 * source.count,
        "metrics": (2 * POINTS + 2) * source.count,
        "latest_metrics": 3 * source.count,
        "deleted runs": 1 + source.in_trash,
        "not numbers": source.count,
        "own tags": source.count,
        "data sets": 1,
        "inputs": 2,
        "in the trash": source.in_trash,
        # A server's API can read traces but not write them.
        "traces": 0 if source.location.startswith("http") else 1,
    }


def expect_models(stack: RunningStack, source: Source, place: str) -> None:
    """Assert that the registered model exists and points to its artifacts' new location."""
    (model,) = stack.api.get("registered-models/search", filter=f"name='{source.name}'")[
        "registered_models"
    ]
    assert model["tags"] == [{"key": "kind", "value": "test"}]
    assert model["aliases"] == [{"alias": "champion", "version": "2"}]
    search = stack.api.get("model-versions/search", filter=f"name='{source.name}'")
    versions = {found["version"]: found for found in search["model_versions"]}
    assert set(versions) == {"1", "2"}
    for version, found in versions.items():
        assert (found["run_id"], found["source"]) == (source.runs[0], place)
        answer = stack.api.get("model-versions/get-download-uri", name=source.name, version=version)
        assert answer["artifact_uri"] == place


def expect_nothing_new(stack: RunningStack, source: Source) -> None:
    """Import again and assert that nothing is added."""
    before = (stack.rows(), stack.objects())
    data = import_all(stack, source)
    assert set(data["brought"].values()) == {0}
    assert (stack.rows(), stack.objects()) == before


def import_all(stack: RunningStack, source: Source) -> dict[str, Any]:
    """Import; only the folder is not complete, since one of its runs is damaged."""
    output = stack.tool("import", source.location, "--json", code=int(source.name == "folder"))
    errors = [error["message"] for error in output.envelope["errors"]]
    assert errors == ["not in the stack: 1 damaged entry"] * output.code
    return output.data


def expect_same_counts(data: dict[str, Any], runs: int, skipped: Sequence[str] = ()) -> None:
    """Assert that the tool counted the same on both sides and skipped only `skipped`."""
    assert data["compared"]["runs"] == {"source": runs, "stack": runs}
    assert all(found["source"] == found["stack"] for found in data["compared"].values())
    assert sorted(data["left"]) == sorted(skipped)


@local_only(TOOL)
def test_a_stack_on_a_read_only_disk_must_be_reported(shared: RunningStack, tmp_path: Path) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").touch()
    script = 'mount --bind . . && mount -o remount,bind,ro . && cd . && exec "$@"'
    alone = ("unshare", "--mount", "sh", "-c", script, "sh")
    if run(*alone, "true", code=None, folder=shared.folder).code:
        pytest.skip("this user may not mount")
    command = (str(SCRIPT), "--env-file", str(shared.env_file), "import", f"{tmp_path}/mlruns")
    output = run(*alone, *command, code=1, folder=shared.folder)
    output.shows("Read-only file system", "hint: ")
    assert "Traceback" not in output.text


@short_in_ci
@docker_only("without, the tests below import a folder and a database")
def test_a_folder_of_runs_must_end_up_in_the_database_and_the_bucket_with_one_command(
    target: RunningStack, folder: Source
) -> None:
    """An import that was interrupted before leaves only complete experiments."""
    before = snapshot(Path(folder.location))
    interrupt_import(target, folder)
    expect_same_counts(import_all(target, folder), folder.count, LEFT_OF_FOLDER)
    expect(target, folder)
    expect_nothing_new(target, folder)
    assert snapshot(Path(folder.location)) == before
    assert list(target.folder.glob(".import*")) == []


def interrupt_import(stack: RunningStack, source: Source) -> None:
    """Import a folder and press Ctrl-C; assert that only complete experiments are left."""
    with importing(stack, source.location) as process:
        assert process.stderr
        assert any(line.startswith("Importing experiments") for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    found = Rows(stack, source.name).counts()["runs"]
    assert found in {0, source.count - source.in_trash, source.count}
    assert list(stack.folder.glob(".import*")) == []


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the modification time of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@left_to_soak("another test interrupts an import")
@local_only(SAME)
def test_a_killed_import_must_resume_where_it_stopped(target: LocalStack, database: Source) -> None:
    before = snapshot(Path(database.location).parent)
    arrived = files_in_bucket(target)
    with importing(target, database.location) as process:
        wait_until(
            lambda: files_in_bucket(target) > arrived + MANY // 2,
            seconds=120,
            what="artifacts arrive",
            poll=0.01,
        )
        os.killpg(process.pid, signal.SIGKILL)
    rows = target.rows()
    data = target.tool("import", database.location, "--json").data
    expect_same_counts(data, MANY)
    expect(target, database)
    # Their table has a column that PostgreSQL computes.
    assert Rows(target, database.name).spans() == ["inner|t", "outer|t"]
    # The rows were complete before the first artifact: a second import adds no more of them.
    assert target.rows() == rows
    assert data["brought"]["runs"] == 0
    # It was killed halfway: some artifacts had arrived, and only the others were sent.
    assert data["already_there"]["artifact files"] > 0
    assert data["brought"]["artifact files"] > 0
    assert snapshot(Path(database.location).parent) == before
    assert list(target.folder.glob(".import*")) == []


def files_in_bucket(stack: LocalStack) -> int:
    """Count the S3 server's files; listing objects would take so long that it misses the middle."""
    folder = stack.local_folder / "data" / "minio_data"
    return sum(path.is_file() for path in folder.rglob("*"))


@local_only(SAME)
def test_an_import_from_a_server_must_match_an_import_of_its_database(
    target: RunningStack, database: Source, server: Source
) -> None:
    """The database file was imported before: rows that the API renders differently would repeat."""
    if not Rows(target, database.name).counts()["runs"]:
        target.tool("import", database.location)
    data = target.tool("import", server.location, "--json").data
    traces = [f"the traces of experiment {name} süß" for name in (database.name, server.name)]
    expect_same_counts(data, database.count + server.count, traces)
    assert data["already_there"]["runs"] == database.count
    assert data["brought"]["runs"] == server.count
    assert data["brought"]["metrics"] == (2 * POINTS + 2) * server.count
    expect(target, server)
    expect(target, database)


@local_only("on Docker, the import of the first test is interrupted too")
def test_an_interrupted_import_must_leave_only_complete_experiments(
    outside: RunningStack, folder: Source
) -> None:
    """The stack has login and direct artifact access."""
    interrupt_import(outside, folder)
    expect_same_counts(import_all(outside, folder), folder.count, LEFT_OF_FOLDER)
    expect_rows(outside, folder)
    place = f"{Rows(outside, folder.name).places()[folder.runs[0]]}/artifacts"
    assert f"s3://{outside.bucket}/{place}" in outside.sql("SELECT artifact_uri FROM runs")
    assert outside.objects()[f"{place}/{LARGE_PATH}"] == len(LARGE)


@left_to_soak("the same code as for the other stores")
@docker_only("without, stacks with the same two folders are imported into by test_pairs.py")
def test_a_folder_of_runs_must_be_imported_into_a_small_stack_too(
    smallest: RunningStack, folder: Source
) -> None:
    expect_same_counts(import_all(smallest, folder), folder.count, LEFT_OF_FOLDER)
    found = smallest.api.get("runs/get", run_id=folder.runs[0])["run"]
    assert found["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    key = found["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert smallest.api.artifact("GET", f"{key}/{LARGE_PATH}").content == LARGE
    history = smallest.api.get("metrics/get-history", run_id=folder.runs[0], metric_key="loss")
    assert len(history["metrics"]) == POINTS


@local_only(TOOL)
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere/mlruns", ("does not exist", "an mlruns folder")),
        (".env", ("is not a SQLite file", "hint: ")),
        (".", ("is not an mlruns folder", "hint: ")),
        ("http://127.0.0.1:9", ("nothing answers at http://127.0.0.1:9", "start that server")),
        ("postgresql://db/mlflow", ("cannot be imported directly", "start an MLflow server on it")),
    ],
)
def test_an_invalid_source_must_be_reported(
    source: str, words: Sequence[str], target: RunningStack
) -> None:
    target.tool("import", source, code=1).shows(*words)


@local_only(TOOL)
def test_a_stack_that_is_not_running_must_be_reported(
    stack: RunningStack, small_source: Mlruns
) -> None:
    stack.tool("render")
    stack.tool("import", str(small_source.path), code=1).shows("is not running", "up starts it")


@contextmanager
def importing(stack: RunningStack, source: str) -> Iterator[subprocess.Popen[str]]:
    """Run an import in its own process group; it has exited when the block ends."""
    process = subprocess.Popen(
        [str(SCRIPT), "import", source],
        cwd=stack.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
