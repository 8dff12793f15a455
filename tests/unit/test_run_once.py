"""What is run once where a service runs: its lines come as they are said, its end is told."""

import os
import sys
from pathlib import Path

import pytest

from mlflow_compose.engines.docker import one_off
from mlflow_compose.engines.local import LocalEngine
from mlflow_compose.engines.local.one_off import run_once
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import StackPaths
from mlflow_compose.render import render, write
from mlflow_compose.stack import Machine
from tests.unit.samples import local_stack

TALK = "import sys; [print(line) for line in 'abc']; sys.stderr.write('x' * 200_000); sys.exit(3)"


def test_lines_must_come_one_by_one_and_only_the_last_be_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    outcome = run_once([sys.executable, "-c", TALK], tmp_path, dict(os.environ), lines.append)
    assert lines == ["a", "b", "c"]
    assert outcome.stdout == "c"
    assert outcome.exit_code == 3
    assert len(outcome.stderr) == 200_000


def test_all_lines_must_be_kept_where_nobody_listens(tmp_path: Path) -> None:
    outcome = run_once([sys.executable, "-c", TALK], tmp_path, dict(os.environ))
    assert outcome.stdout == "a\nb\nc"


def test_a_folder_that_docker_cannot_mount_must_be_told() -> None:
    with pytest.raises(EngineError, match="a colon in its path"):
        one_off._mounts(Path("/home/student/a:b"))


def test_python_must_leave_nothing_beside_the_scripts_of_a_service(tmp_path: Path) -> None:
    """What is newer there than the server's start would have it started again by the next `up`."""
    found = local_stack(Machine(cache=str(tmp_path / "cache"), python="cpython"))
    paths = StackPaths(tmp_path / ".env")
    write(render(found), paths.local)
    python = Path(found.service("mlflow").image) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    plugins = paths.local / "mlflow" / "plugins"
    (plugins / "any_plugin.py").touch()
    before = sorted(plugins.rglob("*"))
    # In a process of its own, as when MLflow's command line is run.
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import any_plugin'])"
    engine = LocalEngine(found, paths, {"PATH": os.environ["PATH"]})
    assert engine.run_python("mlflow", code).exit_code == 0
    assert sorted(plugins.rglob("*")) == before
