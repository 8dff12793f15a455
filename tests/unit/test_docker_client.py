"""The calling shell's environment never changes which stack Compose works on."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from mlflow_compose.engines.docker import DockerEngine
from mlflow_compose.engines.docker.client import open_client
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import StackPaths
from mlflow_compose.render import render, write
from tests.unit.fakes import FakeScreen
from tests.unit.samples import IDENTITY, stack

MISLEADING = {
    "STACK_IDENTITY": "deadbeefdeadbeef",
    "COMPOSE_ENV_FILES": "/nonexistent/.env",
    "COMPOSE_DISABLE_ENV_FILE": "1",
    "COMPOSE_FILE": "/nonexistent/compose.yaml",
    "COMPOSE_IGNORE_ORPHANS": "1",
    "COMPOSE_REMOVE_ORPHANS": "1",
}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    """Return the engine of a stack, in a shell whose variables contradict the stack's files."""
    for name, value in MISLEADING.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COMPOSE_PROFILES", "mine")
    paths, given = StackPaths(tmp_path / ".env"), stack()
    write(render(given), paths.compose)
    return DockerEngine(given, paths)


def test_compose_must_get_the_stacks_own_id_and_files(
    found: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nenv >> {tmp_path}/seen\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    found.stop(FakeScreen(), volumes=False)
    seen = set((tmp_path / "seen").read_text(encoding="utf-8").splitlines())
    given = {line for line in seen if line.partition("=")[0] in MISLEADING}
    assert given == {f"STACK_IDENTITY={IDENTITY}"}
    assert "COMPOSE_PROFILES=mine" in seen


def test_a_missing_docker_must_still_be_reported_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="docker is not in PATH"):
        DockerEngine(stack(), StackPaths(tmp_path / ".env")).check()


@pytest.mark.docker
def test_compose_must_label_everything_with_the_stacks_own_id(
    found: DockerEngine, tmp_path: Path
) -> None:
    """Compose only reads files here and contacts no engine."""
    client = open_client(found.stack, StackPaths(tmp_path / ".env"))
    command = [*map(str, client.client_config.docker_compose_cmd), "config", "--format=json"]
    done = subprocess.run(command, check=True, capture_output=True)
    parts = json.loads(done.stdout)
    labels = [part["labels"] for kind in ("services", "volumes") for part in parts[kind].values()]
    assert labels
    assert {label["mlflow-compose.stack"] for label in labels} == {IDENTITY}
