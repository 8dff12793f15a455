"""What was in a folder, a file or another server is in the stack, whole, and only once."""

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
# So that there is time to end an import half way.
MANY = 100
SAME = "the same code brings the same rows on both engines, and this one starts sooner"
TOOL = "it is refused before an engine has anything to do"
DAMAGED = "0" * 32
LEFT_OF_FOLDER = (f"run {DAMAGED}: its meta.yaml is damaged or missing",)


@dataclass(frozen=True)
class Made:
    """What a store was filled with.

    Attributes:
        source: As `import` takes it.
        name: What experiments begin with, and of the model.
        runs: Their ids; the first has a large artifact too.
    """

    source: str
    name: str
    runs: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many runs there are."""
        return len(self.runs)

    @property
    def in_trash(self) -> int:
        """How many of them are of a deleted experiment."""
        return self.count // 5


def fill(uri: str, name: str, count: int, work: Path, **more: str) -> tuple[str, ...]:
    """Fill a store with MLflow's own client."""
    # Its threads would print a line each, and into each other's.
    quiet = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
    env = environment(MLFLOW_DISABLE_TELEMETRY="true", **quiet, **more)
    said = run(sys.executable, str(CLIENT), uri, name, str(count), str(work / "files"), env=env)
    return tuple(json.loads(said.out.splitlines()[-1]))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Made:
    """Return a mlruns folder for one user only; a run is damaged, a point is there twice.

    It is only read, so the first process that needs one makes it for all.
    """
    base = tmp_path_factory.getbasetemp()
    top = (base if worker_id == "master" else base.parent) / "folder"
    with FileLock(f"{top}.lock"):
        if not (top / "runs.json").exists():
            runs = write_folder(top)
            (top / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    found = json.loads((top / "runs.json").read_text(encoding="utf-8"))
    return Made(str(top / "mlruns"), "folder", tuple(found))


def write_folder(top: Path) -> tuple[str, ...]:
    """Write that folder with MLflow's own client, and damage it; return its runs."""
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
def database(origin: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a file of SQLite with its artifacts beside it, as a server left them."""
    top = tmp_path_factory.mktemp("database")
    runs = fill(origin.url, "database", MANY, top)
    kept = top / "kept"
    assert isinstance(origin, LocalStack)
    shutil.copytree(origin.local_folder / "data" / VOLUME, kept)
    return Made(str(kept / "mlflow.db"), "database", runs)


@pytest.fixture(scope="module")
def server(origin: RunningStack, database: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a server that holds what is in `database`, and more."""
    assert database.runs
    runs = fill(origin.url, "server", FEW, tmp_path_factory.mktemp("server"))
    return Made(origin.url, "server", runs)


@pytest.fixture
def target(shared: RunningStack) -> RunningStack:
    """Return a stack on PostgreSQL and S3 that everything is imported into."""
    return shared


def expect(stack: RunningStack, made: Made) -> None:
    """Make sure that everything is there, once, in the database and in the bucket."""
    rows = Rows(stack, made.name)
    assert rows.counted() == {
        "runs": made.count,
        "params": 2 * made.count,
        "metrics": (2 * POINTS + 2) * made.count,
        "latest_metrics": 3 * made.count,
        "deleted runs": 1 + made.in_trash,
        "not numbers": made.count,
        "own tags": made.count,
        "data sets": 1,
        "inputs": 2,
        "in the trash": made.in_trash,
        # A server's API hands traces out, and takes none.
        "traces": 0 if made.source.startswith("http") else 1,
    }
    places = rows.places()
    sizes = {
        f"{place}/artifacts/{path}": len(content)
        for place in places.values()
        for path, content in FILES.items()
    }
    first = f"{places[made.runs[0]]}/artifacts"
    sizes[f"{first}/{LARGE_PATH}"] = len(LARGE)
    experiments = tuple(f"{place.partition('/')[0]}/" for place in places.values())
    stored = {key: size for key, size in stack.objects().items() if key.startswith(experiments)}
    # A folder keeps spans as artifacts.
    assert {key: size for key, size in stored.items() if "/traces/" not in key} == sizes
    for path, content in {**FILES, LARGE_PATH: LARGE}.items():
        assert stack.api.artifact("GET", f"{first}/{quote(path)}").content == content
    expect_models(stack, made, f"mlflow-artifacts:/{first}/model")


def expect_models(stack: RunningStack, made: Made, place: str) -> None:
    """Make sure that the registered model is there and says where its artifacts are now."""
    (model,) = stack.api.get("registered-models/search", filter=f"name='{made.name}'")[
        "registered_models"
    ]
    assert model["tags"] == [{"key": "kind", "value": "test"}]
    assert model["aliases"] == [{"alias": "champion", "version": "2"}]
    search = stack.api.get("model-versions/search", filter=f"name='{made.name}'")
    versions = {found["version"]: found for found in search["model_versions"]}
    assert set(versions) == {"1", "2"}
    for version, found in versions.items():
        assert (found["run_id"], found["source"]) == (made.runs[0], place)
        asked = stack.api.get("model-versions/get-download-uri", name=made.name, version=version)
        assert asked["artifact_uri"] == place


def brings_nothing(stack: RunningStack, made: Made) -> None:
    """Import again, and make sure that nothing comes."""
    before = (stack.rows(), stack.objects())
    data = stack.tool("import", made.source, "--json").data
    assert set(data["brought"].values()) == {0}
    assert (stack.rows(), stack.objects()) == before


def agree(data: dict[str, Any], runs: int, left: Sequence[str] = ()) -> None:
    """Make sure that what the tool counted is the same on both sides."""
    assert data["compared"]["runs"] == {"source": runs, "stack": runs}
    assert all(found["source"] == found["stack"] for found in data["compared"].values())
    assert sorted(data["left"]) == sorted(left)


@local_only(TOOL)
def test_a_stack_on_a_read_only_disk_must_be_named(shared: RunningStack, tmp_path: Path) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").touch()
    script = 'mount --bind . . && mount -o remount,bind,ro . && cd . && exec "$@"'
    alone = ("unshare", "--mount", "sh", "-c", script, "sh")
    if run(*alone, "true", code=None, folder=shared.folder).code:
        pytest.skip("this user may not mount")
    command = (str(SCRIPT), "--env-file", str(shared.env_file), "import", f"{tmp_path}/mlruns")
    said = run(*alone, *command, code=1, folder=shared.folder)
    said.shows("Read-only file system", "hint: ")
    assert "Traceback" not in said.text


def test_a_folder_of_runs_must_end_up_in_the_database_and_the_bucket_with_one_command(
    target: RunningStack, folder: Made
) -> None:
    before = snapshot(Path(folder.source))
    agree(target.tool("import", folder.source, "--json").data, folder.count, LEFT_OF_FOLDER)
    expect(target, folder)
    brings_nothing(target, folder)
    assert snapshot(Path(folder.source)) == before
    assert list(target.folder.glob(".import*")) == []


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@local_only(SAME)
def test_an_import_that_was_killed_half_way_must_go_on_where_it_was(
    target: RunningStack, database: Made
) -> None:
    before = snapshot(Path(database.source).parent)
    objects = len(target.objects())
    with importing(target, database.source) as process:
        wait_until(
            lambda: len(target.objects()) > objects + MANY, seconds=120, what="artifacts are coming"
        )
        os.killpg(process.pid, signal.SIGKILL)
    assert objects < len(target.objects()) < objects + len(FILES) * (MANY + 1) + 1
    agree(target.tool("import", database.source, "--json").data, MANY)
    expect(target, database)
    # They have a column that PostgreSQL works out by itself.
    assert Rows(target, database.name).spans() == ["inner|t", "outer|t"]
    brings_nothing(target, database)
    assert snapshot(Path(database.source).parent) == before
    assert list(target.folder.glob(".import*")) == []


@local_only(SAME)
def test_what_another_server_holds_must_come_and_be_the_same_as_its_database(
    target: RunningStack, database: Made, server: Made
) -> None:
    """The database came by itself before: rows of the API that differ would come again."""
    if not Rows(target, database.name).counted()["runs"]:
        target.tool("import", database.source)
    data = target.tool("import", server.source, "--json").data
    traces = [f"the traces of experiment {name} süß" for name in (database.name, server.name)]
    agree(data, database.count + server.count, traces)
    assert data["already_there"]["runs"] == database.count
    assert data["brought"]["runs"] == server.count
    assert data["brought"]["metrics"] == (2 * POINTS + 2) * server.count
    expect(target, server)
    expect(target, database)


def test_an_interrupted_import_must_leave_whole_experiments(
    outside: RunningStack, folder: Made
) -> None:
    """On a stack with a login, whose clients talk to S3 themselves."""
    with importing(outside, folder.source) as process:
        assert process.stderr
        assert any(line.startswith("Importing experiments") for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    rows = Rows(outside, folder.name)
    assert rows.counted()["runs"] in {0, folder.count - folder.in_trash, folder.count}
    assert list(outside.folder.glob(".import*")) == []
    agree(outside.tool("import", folder.source, "--json").data, folder.count, LEFT_OF_FOLDER)
    place = f"{rows.places()[folder.runs[0]]}/artifacts"
    assert f"s3://{outside.bucket}/{place}" in outside.sql("SELECT artifact_uri FROM runs")
    assert outside.objects()[f"{place}/{LARGE_PATH}"] == len(LARGE)


def test_a_small_stack_must_take_it_too(smallest: RunningStack, folder: Made) -> None:
    agree(smallest.tool("import", folder.source, "--json").data, folder.count, LEFT_OF_FOLDER)
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
def test_a_source_that_is_none_must_be_named(
    source: str, words: Sequence[str], target: RunningStack
) -> None:
    target.tool("import", source, code=1).shows(*words)


@local_only(TOOL)
def test_a_stack_that_does_not_run_must_be_named(stack: RunningStack, small_source: Mlruns) -> None:
    stack.tool("render")
    stack.tool("import", str(small_source.path), code=1).shows("is not running", "up starts it")


@contextmanager
def importing(stack: RunningStack, source: str) -> Iterator[subprocess.Popen[str]]:
    """Run an import, in a group of processes of its own; it has ended in the end."""
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
