"""`import` brings a folder, a SQLite file or another server into the stack, completely and once."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from filelock import FileLock

from .conftest import MakeStack
from .import_client import FILES, LARGE, LARGE_PATH, POINTS
from .local_stack import LocalStack
from .mlruns import Mlruns
from .rows import Rows
from .running import RunningStack, local_only
from .small import SMALLEST, VOLUME
from .tool import SCRIPT, environment, run
from .waiting import wait_until

CLIENT = Path(__file__).with_name("import_client.py")
FEW = 40
# Enough to leave time for killing an import halfway.
MANY = 100
SAME = "the same code imports the same rows on both engines, and this one starts faster"
TOOL = "it is refused before an engine is involved"
DAMAGED = "0" * 32
LEFT_OF_FOLDER = (f"run {DAMAGED}: its meta.yaml is damaged",)


@dataclass(frozen=True)
class Source:
    """A filled store to import.

    Attributes:
        location: Argument of `import`.
        name: Prefix of the experiments' names, and name of the model.
        runs: Run ids; the first run also has a large artifact.
    """

    location: str
    name: str
    runs: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of runs."""
        return len(self.runs)

    @property
    def in_trash(self) -> int:
        """Number of runs in a deleted experiment."""
        return self.count // 5


def fill(uri: str, name: str, count: int, work: Path, **more: str) -> tuple[str, ...]:
    """Fill a store with MLflow's own client."""
    # Each thread would print a line, and the lines would interleave.
    quiet = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
    env = environment(MLFLOW_DISABLE_TELEMETRY="true", **quiet, **more)
    output = run(sys.executable, str(CLIENT), uri, name, str(count), str(work / "files"), env=env)
    return tuple(json.loads(output.out.splitlines()[-1]))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Source:
    """Return an mlruns folder with mode 0700, a damaged run and a duplicate metric point.

    It is only read, so the first worker process that needs it creates it for all.
    """
    base = tmp_path_factory.getbasetemp()
    top = (base if worker_id == "master" else base.parent) / "folder"
    with FileLock(f"{top}.lock"):
        if not (top / "runs.json").exists():
            runs = write_folder(top)
            (top / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    found = json.loads((top / "runs.json").read_text(encoding="utf-8"))
    return Source(str(top / "mlruns"), "folder", tuple(found))


def write_folder(top: Path) -> tuple[str, ...]:
    """Write that folder with MLflow's own client, damage it, and return its run ids."""
    top.mkdir()
    path = top / "mlruns"
    runs = fill(str(path), "folder", FEW, top, MLFLOW_ALLOW_FILE_STORE="true")
    (first,) = path.glob(f"*/{runs[0]}")
    (first.parent / DAMAGED).mkdir()
    (first.parent / DAMAGED / "meta.yaml").touch()
    history = first / "metrics" / "loss"
    history.write_text(history.read_text() + history.read_text().splitlines()[-1] + "\n")
    path.chmod(0o700)
    return runs


@pytest.fixture(scope="module")
def origin(_make_for_module: MakeStack) -> RunningStack:
    """Return a small stack to import from."""
    stack = _make_for_module(**SMALLEST)
    stack.up()
    return stack


@pytest.fixture(scope="module")
def database(origin: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Return a SQLite file with its artifacts next to it, as a server left them."""
    top = tmp_path_factory.mktemp("database")
    runs = fill(origin.url, "database", MANY, top)
    copied = top / "kept"
    assert isinstance(origin, LocalStack)
    shutil.copytree(origin.local_folder / "data" / VOLUME, copied)
    return Source(str(copied / "mlflow.db"), "database", runs)


@pytest.fixture(scope="module")
def server(
    origin: RunningStack, database: Source, tmp_path_factory: pytest.TempPathFactory
) -> Source:
    """Return a server that has the runs of `database`, and more."""
    assert database.runs
    runs = fill(origin.url, "server", FEW, tmp_path_factory.mktemp("server"))
    return Source(origin.url, "server", runs)


@pytest.fixture
def target(shared: RunningStack) -> RunningStack:
    """Return the stack on PostgreSQL and S3 that everything is imported into."""
    return shared


def expect(stack: RunningStack, source: Source) -> None:
    """Assert that everything is in the database and the bucket exactly once."""
    rows = Rows(stack, source.name)
    assert rows.counts() == {
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
    places = rows.places()
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


def test_a_folder_of_runs_must_end_up_in_the_database_and_the_bucket_with_one_command(
    target: RunningStack, folder: Source
) -> None:
    before = snapshot(Path(folder.location))
    expect_same_counts(import_all(target, folder), folder.count, LEFT_OF_FOLDER)
    expect(target, folder)
    expect_nothing_new(target, folder)
    assert snapshot(Path(folder.location)) == before
    assert list(target.folder.glob(".import*")) == []


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the modification time of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@local_only(SAME)
def test_a_killed_import_must_resume_where_it_stopped(
    target: RunningStack, database: Source
) -> None:
    before = snapshot(Path(database.location).parent)
    objects = len(target.objects())
    with importing(target, database.location) as process:
        wait_until(
            lambda: len(target.objects()) > objects + MANY, seconds=120, what="artifacts arrive"
        )
        os.killpg(process.pid, signal.SIGKILL)
    assert objects < len(target.objects()) < objects + len(FILES) * (MANY + 1) + 1
    expect_same_counts(target.tool("import", database.location, "--json").data, MANY)
    expect(target, database)
    # Their table has a column that PostgreSQL computes.
    assert Rows(target, database.name).spans() == ["inner|t", "outer|t"]
    expect_nothing_new(target, database)
    assert snapshot(Path(database.location).parent) == before
    assert list(target.folder.glob(".import*")) == []


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


def test_an_interrupted_import_must_leave_only_complete_experiments(
    outside: RunningStack, folder: Source
) -> None:
    """The stack has login and direct artifact access."""
    with importing(outside, folder.location) as process:
        assert process.stderr
        assert any(line.startswith("Importing experiments") for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    rows = Rows(outside, folder.name)
    assert rows.counts()["runs"] in {0, folder.count - folder.in_trash, folder.count}
    assert list(outside.folder.glob(".import*")) == []
    expect_same_counts(import_all(outside, folder), folder.count, LEFT_OF_FOLDER)
    place = f"{rows.places()[folder.runs[0]]}/artifacts"
    assert f"s3://{outside.bucket}/{place}" in outside.sql("SELECT artifact_uri FROM runs")
    assert outside.objects()[f"{place}/{LARGE_PATH}"] == len(LARGE)


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
