"""A test that needs Docker or Kubernetes is skipped without it, and fails if it is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest
from tests.unit.samples import ROOT

TEST = """
import pytest

@pytest.mark.{marker}
def test_that_needs_it():
    pass

def test_without():
    pass
"""
DOCKER, HELM = "there is no docker command", "there is no Helm in K8S_HOME"
NO_CLUSTER = "only root on Linux can start a cluster" if os.geteuid() else "there is no Kubernetes"


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
    ("marker", "variable", "reason"),
    [
        ("docker", "REQUIRE_DOCKER", DOCKER),
        ("helm", "REQUIRE_K8S", HELM),
        ("kubernetes", "REQUIRE_K8S", NO_CLUSTER),
    ],
)
@pytest.mark.parametrize("required", [False, True])
def test_marked_tests_must_skip_unless_what_they_need_is_required(
    tmp_path: Path, marker: str, variable: str, reason: str, *, required: bool
) -> None:
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    (tmp_path / "test_it.py").write_text(TEST.format(marker=marker), encoding="utf-8")
    markers = "[pytest]\nmarkers =\n  docker\n  helm\n  kubernetes\n  xdist_group\n"
    (tmp_path / "pytest.ini").write_text(markers, encoding="utf-8")
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("REQUIRE_")}
    environ |= {"PATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ |= {"PYTHONPATH": str(ROOT), "K8S_HOME": str(tmp_path / "nothing")}
    environ |= {variable: "1"} if required else {}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsE", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )
    assert f"1 passed, 1 {'error' if required else 'skipped'}" in done.stdout
    assert reason in done.stdout
