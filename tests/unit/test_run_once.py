"""What is run once where a service runs: its lines come as they are said, its end is told."""

import os
import sys
from pathlib import Path

import pytest

from mlflow_compose.engines.docker import one_off
from mlflow_compose.engines.local.one_off import run_once
from mlflow_compose.errors import EngineError

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
