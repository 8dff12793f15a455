"""A test that needs Docker is skipped without Docker, and fails if Docker is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest
from tests.unit.samples import ROOT

TEST = """
import pytest

@pytest.mark.docker
def test_with_docker():
    pass

def test_without():
    pass
"""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "there is no docker command"),
        ('[ "$1" = version ]', "there is no Docker Compose v2 (docker compose version failed)"),
        ('[ "$1" = compose ]', "Docker's engine does not answer (docker version failed)"),
        ("exit 0", ""),
    ],
)
def test_the_missing_part_must_be_detected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, reason: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "docker").chmod(0o755)
    assert conftest.docker_trouble.__wrapped__() == reason


@pytest.mark.parametrize(
    ("required", "outcome"), [(None, "1 passed, 1 skipped"), ("1", "1 passed, 1 error")]
)
def test_marked_tests_must_skip_unless_docker_is_required(
    tmp_path: Path, required: str | None, outcome: str
) -> None:
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    (tmp_path / "test_it.py").write_text(TEST, encoding="utf-8")
    markers = "[pytest]\nmarkers =\n  docker\n  xdist_group\n"
    (tmp_path / "pytest.ini").write_text(markers, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "REQUIRE_DOCKER"}
    environ |= {"PATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ |= {"PYTHONPATH": str(ROOT)}
    environ |= {"REQUIRE_DOCKER": required} if required else {}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsE", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )
    assert outcome in done.stdout
    assert "there is no docker command" in done.stdout
