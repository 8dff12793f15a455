"""Temporary folders of imports inside a service."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlflow_compose.data.inside.scratch import scratch_folder

# Killed while it uses its folder.
KILLED = """
import os
from mlflow_compose.data.inside.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "mlflow.db").write_text("copied")
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_the_folder_must_be_removed_afterwards(tmp: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == tmp.resolve()
    assert list(tmp.iterdir()) == []


def test_the_folder_of_a_killed_import_must_be_removed_by_the_next_one(tmp: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    (left,) = tmp.iterdir()
    assert (left / "mlflow.db").exists()
    with scratch_folder() as folder:
        assert list(tmp.iterdir()) == [folder]


def test_the_folder_of_a_running_import_must_stay() -> None:
    with scratch_folder() as running:
        with scratch_folder():
            pass
        assert running.exists()


def test_other_folders_must_stay(tmp: Path) -> None:
    (tmp / "mlflow-compose-import-2024").mkdir()
    outside = tmp / "outside"
    outside.mkdir()
    (outside / ".mlflow-compose-lock").touch()
    (tmp / "mlflow-compose-import-link").symlink_to(outside)
    before = sorted(tmp.rglob("*"))
    with scratch_folder():
        pass
    assert sorted(tmp.rglob("*")) == before
