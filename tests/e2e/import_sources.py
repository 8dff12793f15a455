"""What test_import.py imports: a folder, a database and a server, filled by MLflow's own client."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from .conftest import MakeStack
from .local_stack import LocalStack
from .running import RunningStack
from .small import SMALLEST, VOLUME
from .tool import environment, run

CLIENT = Path(__file__).with_name("import_client.py")
FEW = 10
# More runs in an experiment than one query reads (`PARENTS` in merge.py), and enough to leave time
# for killing an import halfway.
MANY = 65
DAMAGED = "0" * 32


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
