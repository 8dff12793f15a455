"""The smallest stacks, and their real state: rows, files and processes."""

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mlflow_compose.settings import declared

from .docker_stack import DockerStack, docker
from .images import known_images
from .local_stack import LocalStack
from .running import RunningStack
from .tool import run

SMALLEST: Mapping[str, str] = {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}
VOLUME = "mlflow_data"
# Files of the local engine that are not rendered.
NOT_RENDERED = frozenset({"data", "logs", "run"})

# Runs where the data is: prints the contents of MLflow's data folder without changing anything.
LOOK = """
import hashlib, json, pathlib, sqlite3, sys

folder = pathlib.Path(sys.argv[1]).absolute()
file = folder / "mlflow.db"
rows, runs = {}, []
if file.exists():
    database = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    listed = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for name, in listed:
        rows[name] = database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
    if "runs" in rows:
        runs = [run for run, in database.execute("SELECT run_uuid FROM runs ORDER BY run_uuid")]
top = folder / "artifacts"
files = {
    path.relative_to(top).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(top.rglob("*")) if path.is_file()
}
print(json.dumps({"rows": rows, "runs": runs, "files": files}))
"""


@dataclass(frozen=True)
class Kept:
    """Data of a smallest stack on disk.

    Attributes:
        rows: Number of rows of each table.
        runs: Ids of all runs.
        files: SHA-256 of each artifact, by its path.
    """

    rows: Mapping[str, int]
    runs: list[str]
    files: Mapping[str, str]


NOTHING = Kept({}, [], {})


def kept(stack: RunningStack) -> Kept:
    """Return the data on disk of a smallest stack, whether it runs or not."""
    if isinstance(stack, LocalStack):
        return kept_in(stack.local_folder / "data" / VOLUME)
    name = f"{stack.settings['COMPOSE_PROJECT_NAME']}_{VOLUME}"
    if not volume_exists(name):
        return NOTHING
    mounted = ("run", "--rm", "--volume", f"{name}:/kept", "--entrypoint", "python")
    return _kept(docker(*mounted, python_image(), "-c", LOOK, "/kept").out)


def kept_in(folder: Path) -> Kept:
    """Return the contents of an MLflow data folder on this machine."""
    return _kept(run(sys.executable, "-c", LOOK, str(folder)).out)


def _kept(printed: str) -> Kept:
    found: dict[str, Any] = json.loads(printed)
    return Kept(found["rows"], found["runs"], found["files"])


def volume_exists(name: str) -> bool:
    """Tell whether Docker has a volume."""
    return name in docker("volume", "ls", "--format", "{{.Name}}").out.split()


def python_image() -> str:
    """Return an image with Python."""
    defaults = {name: str(info.default) for name, info in declared()}
    return known_images().get("PYTHON_IMAGE") or defaults["PYTHON_IMAGE"]


def identity(folder: Path) -> str:
    """Return the id of the stack in a folder."""
    return (folder / ".mlflow-compose" / "id").read_text(encoding="ascii").strip()


def rendered(stack: RunningStack) -> dict[str, bytes]:
    """Return the rendered files of a stack, by path."""
    top = stack.compose_folder if isinstance(stack, DockerStack) else stack.folder / "local"
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and path.relative_to(top).parts[0] not in NOT_RENDERED
    }


def processes_in(folder: Path) -> Iterator[psutil.Process]:
    """Yield every process whose working directory is in a folder or below it."""
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                yield process
        except (psutil.Error, OSError):
            continue


def end_processes_in(folder: Path) -> None:
    """Kill every process whose working directory is in a folder or below it."""
    found = list(processes_in(folder))
    # They are stopped first: one of them might start another in the meantime.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
    psutil.wait_procs(found, timeout=10)


def is_up(stack: RunningStack) -> bool:
    """Tell whether anything runs for a stack, without using the tool."""
    if isinstance(stack, DockerStack):
        return any(box["State"]["Running"] for box in stack.containers().values())
    return any(processes_in(stack.folder))


def move(stack: RunningStack, folder: Path) -> None:
    """Rename the folder of a stack."""
    stack.folder.rename(folder)
    stack.folder, stack.env_file = folder, folder / stack.env_file.name
