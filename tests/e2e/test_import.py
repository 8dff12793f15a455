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

import pytest

from .conftest import MakeStack
from .docker_stack import docker
from .import_client import FILES, LARGE, LARGE_PATH, POINTS
from .local_stack import LocalStack
from .running import RunningStack, local_only
from .tool import SCRIPT, environment, run
from .waiting import wait_until

CLIENT = Path(__file__).with_name("import_client.py")
RUNS = 200
IN_TRASH = RUNS // 5
SAME = "the same code goes another way to the same server, and this engine starts sooner"


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


def fill(uri: str, name: str, work: Path, **more: str) -> tuple[str, ...]:
    """Fill a store with MLflow's own client."""
    env = environment(MLFLOW_DISABLE_TELEMETRY="true", **more)
    said = run(sys.executable, str(CLIENT), uri, name, str(RUNS), str(work / "files"), env=env)
    return tuple(json.loads(said.out.splitlines()[-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a mlruns folder that nobody else may read."""
    top = tmp_path_factory.mktemp("folder")
    path = top / "mlruns"
    runs = fill(str(path), "folder", top, MLFLOW_ALLOW_FILE_STORE="true")
    path.chmod(0o700)
    return Made(str(path), "folder", runs)


@pytest.fixture(scope="module")
def origin(_make_for_module: MakeStack) -> RunningStack:
    """Return a small stack to import from, and into."""
    stack = _make_for_module(BACKEND_STORE="sqlite", ARTIFACT_STORE="local")
    stack.up()
    return stack


@pytest.fixture(scope="module")
def database(origin: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a file of SQLite with its artifacts beside it, as a server left them."""
    top = tmp_path_factory.mktemp("database")
    runs = fill(origin.url, "database", top)
    kept = top / "kept"
    if isinstance(origin, LocalStack):
        shutil.copytree(origin.local_folder / "data" / "mlflow_data", kept)
    else:
        docker("cp", f"{origin.ids()['mlflow']}:/data", str(kept))
    return Made(str(kept / "mlflow.db"), "database", runs)


@pytest.fixture(scope="module")
def server(origin: RunningStack, database: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a server that holds what is in `database`, and as much again."""
    assert database.runs
    runs = fill(origin.url, "server", tmp_path_factory.mktemp("server"))
    return Made(origin.url, "server", runs)


@pytest.fixture(scope="module")
def target(_make_for_module: MakeStack) -> RunningStack:
    """Return a stack on PostgreSQL and S3 that everything is imported into."""
    stack = _make_for_module()
    stack.up()
    return stack


def expect(stack: RunningStack, made: Made) -> None:
    """Make sure that everything is there, once, in the database and in the bucket."""
    assert counted(stack, made) == {
        "runs": RUNS,
        "deleted runs": 1,
        "params": 2 * RUNS,
        "points": (2 * POINTS + 2) * RUNS,
        "latest": 3 * RUNS,
        "not numbers": RUNS,
        "own tags": RUNS,
        "in the trash": IN_TRASH,
    }
    numbers = dict(
        row.split("|")
        for row in stack.sql(
            "SELECT run_uuid, r.experiment_id FROM runs r JOIN experiments e USING (experiment_id) "
            f"WHERE e.name LIKE '{made.name} %'"
        )
    )
    (model,) = stack.sql(
        "SELECT m.experiment_id || '/models/' || model_id FROM logged_models m "
        f"JOIN experiments e USING (experiment_id) WHERE e.name = '{made.name} süß'"
    )
    wanted = {f"{numbers[run_id]}/{run_id}" for run_id in made.runs} | {model}
    sizes = {
        f"{place}/artifacts/{path}": len(content)
        for place in wanted
        for path, content in FILES.items()
    }
    first = f"{numbers[made.runs[0]]}/{made.runs[0]}/artifacts"
    sizes[f"{first}/{LARGE_PATH}"] = len(LARGE)
    experiments = tuple(f"{number}/" for number in set(numbers.values()))
    stored = {key: size for key, size in stack.objects().items() if key.startswith(experiments)}
    assert stored == sizes
    for path, content in {**FILES, LARGE_PATH: LARGE}.items():
        body = stack.s3().get_object(Bucket=stack.bucket, Key=f"{first}/{path}")["Body"]
        assert body.read() == content, path
    expect_models(stack, made, first)


def counted(stack: RunningStack, made: Made) -> dict[str, int]:
    """Count rows of a source's experiments in the stack's database."""
    of = (
        "JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id) "
        f"WHERE e.name LIKE '{made.name} %'"
    )
    queries = {
        "runs": f"runs {of.replace('JOIN runs r USING (run_uuid)', '')}",
        "deleted runs": f"(SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted') x {of}",
        "params": f"params {of}",
        "points": f"metrics {of}",
        "latest": f"latest_metrics {of}",
        "not numbers": f"(SELECT run_uuid FROM metrics WHERE is_nan AND value = 0) x {of}",
        "own tags": f"(SELECT run_uuid FROM tags WHERE value LIKE 'test % ü') x {of}",
        "in the trash": f"(SELECT run_uuid FROM runs) x {of} AND e.lifecycle_stage = 'deleted'",
    }
    return {
        name: int(stack.sql(f"SELECT count(*) FROM {query}")[0]) for name, query in queries.items()
    }


def expect_models(stack: RunningStack, made: Made, first: str) -> None:
    """Make sure that the registered model is there and says where its artifacts are now."""
    versions = stack.sql(
        "SELECT version, run_id, source, storage_location FROM model_versions "
        f"WHERE name = '{made.name}' ORDER BY version"
    )
    place = f"mlflow-artifacts:/{first}/model"
    assert versions == [f"{number}|{made.runs[0]}|{place}|{place}" for number in (1, 2)]
    (model,) = stack.api.get("registered-models/search", filter=f"name='{made.name}'")[
        "registered_models"
    ]
    assert model["tags"] == [{"key": "kind", "value": "test"}]
    assert model["aliases"] == [{"alias": "champion", "version": "2"}]
    large = stack.api.artifact("GET", f"{first}/{LARGE_PATH}").content
    assert large == LARGE


def brings_nothing(stack: RunningStack, made: Made) -> None:
    """Import again, and make sure that nothing comes."""
    before = (stack.rows(), stack.objects())
    data = stack.tool("import", made.source, "--json").data
    assert set(data["brought"].values()) == {0}
    assert (stack.rows(), stack.objects()) == before


def agree(data: dict[str, Any], runs: int) -> None:
    """Make sure that what the tool counted is the same on both sides."""
    assert data["compared"]["runs"] == {"source": runs, "stack": runs}
    assert all(found["source"] == found["stack"] for found in data["compared"].values())
    assert data["left"] == []


def test_a_folder_of_runs_must_end_up_in_the_database_and_the_bucket_with_one_command(
    target: RunningStack, folder: Made
) -> None:
    before = snapshot(Path(folder.source))
    agree(target.tool("import", folder.source, "--json").data, RUNS)
    expect(target, folder)
    brings_nothing(target, folder)
    assert snapshot(Path(folder.source)) == before
    assert list(target.folder.glob(".import*")) == []


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_an_import_that_was_killed_half_way_must_go_on_where_it_was(
    target: RunningStack, database: Made
) -> None:
    before = snapshot(Path(database.source).parent)
    objects = len(target.objects())
    with importing(target, database.source) as process:
        wait_until(
            lambda: len(target.objects()) > objects + RUNS, seconds=120, what="artifacts are coming"
        )
        os.killpg(process.pid, signal.SIGKILL)
    assert objects < len(target.objects()) < objects + len(FILES) * (RUNS + 1) + 1
    agree(target.tool("import", database.source, "--json").data, RUNS)
    expect(target, database)
    brings_nothing(target, database)
    assert snapshot(Path(database.source).parent) == before
    assert list(target.folder.glob(".import*")) == []


def test_what_another_server_holds_must_come_and_be_the_same_as_its_database(
    target: RunningStack, database: Made, server: Made
) -> None:
    """The database came by itself before: rows of the API that differ would come again."""
    target.tool("import", database.source, code=None)
    data = target.tool("import", server.source, "--json").data
    agree(data, 2 * RUNS)
    assert data["brought"]["runs"] == data["already_there"]["runs"] == RUNS
    assert data["brought"]["metrics"] == (2 * POINTS + 2) * RUNS
    expect(target, server)
    expect(target, database)
    brings_nothing(target, server)


def test_an_interrupted_import_must_leave_whole_experiments(
    make_stack: MakeStack, folder: Made
) -> None:
    stack = make_stack()
    stack.up()
    with importing(stack, folder.source) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("Bringing experiments"):
                break
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert counted(stack, folder)["runs"] in {0, RUNS - IN_TRASH, RUNS}
    assert list(stack.folder.glob(".import*")) == []
    stack.tool("import", folder.source)
    expect(stack, folder)


def test_a_small_stack_must_take_it_too(origin: RunningStack, folder: Made) -> None:
    agree(origin.tool("import", folder.source, "--json").data, RUNS)
    found = origin.api.get("runs/get", run_id=folder.runs[0])["run"]
    assert found["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    key = found["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert origin.api.artifact("GET", f"{key}/{LARGE_PATH}").content == LARGE
    history = origin.api.get("metrics/get-history", run_id=folder.runs[0], metric_key="loss")
    assert len(history["metrics"]) == POINTS


@local_only(SAME)
def test_direct_access_and_a_login_must_do(make_stack: MakeStack, folder: Made) -> None:
    stack = make_stack(MLFLOW_ARTIFACT_ACCESS="direct", MLFLOW_AUTH="basic")
    stack.up()
    agree(stack.tool("import", folder.source, "--json").data, RUNS)
    (uri,) = stack.sql(f"SELECT artifact_uri FROM runs WHERE run_uuid = '{folder.runs[0]}'")
    key = uri.removeprefix(f"s3://{stack.bucket}/")
    assert stack.objects()[f"{key}/{LARGE_PATH}"] == len(LARGE)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere/mlruns", ("there is no", "a mlruns folder")),
        (".env", ("is not a file of SQLite", "hint: ")),
        (".", ("is not a folder in which MLflow keeps runs", "hint: ")),
        ("http://127.0.0.1:9", ("nothing answers at http://127.0.0.1:9", "start that server")),
        ("postgresql://db/mlflow", ("is not read directly", "start an MLflow server on it")),
    ],
)
def test_a_source_that_is_none_must_be_named(
    source: str, words: Sequence[str], target: RunningStack
) -> None:
    target.tool("import", source, code=1).shows(*words)


def test_a_stack_that_does_not_run_must_be_named(stack: RunningStack, folder: Made) -> None:
    stack.tool("render")
    stack.tool("import", folder.source, code=1).shows("does not run", "up starts it")


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
