"""A user with an empty folder and a clean environment."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlflow_compose.cli.run import run
from mlflow_compose.engines import ports
from mlflow_compose.settings import declared
from mlflow_compose.settings.names import OUR_PREFIXES
from tests.contract import check_envelope
from tests.unit.samples import env_text

# A developer's own stack may use these.
DEFAULT_PORTS = frozenset({5000, 5432, 9000, 9001})


@dataclass(frozen=True)
class Output:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class User:
    """A user who runs commands in an empty folder."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def compose_file(self) -> Path:
        return self.folder / "compose" / "docker-compose.yaml"

    def has_env(self, *lines: str, without: Sequence[str] = ()) -> None:
        """Write a valid `.env` with these lines added."""
        self.env_file.write_text(env_text(*lines, without=without), encoding="utf-8", newline="")

    def types(self, *argv: str) -> Output:
        """Run a command in this process."""
        self.capture.readouterr()
        code = run(argv)
        output = self.capture.readouterr()
        if "--json" in argv:
            check_envelope(json.loads(output.out))
        return Output(code, output.out, output.err)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings that a developer's shell may contain."""
    names = dict(declared())
    for name in os.environ:
        if name in names or name.startswith(OUR_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _stacks_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the default ports look taken, as if a stack were running.

    Also keep tests away from the Docker engine, which may run a stack with the same name.
    """
    really = ports.is_taken

    def is_taken(address: str, port: int) -> bool:
        return port in DEFAULT_PORTS or really(address, port)

    monkeypatch.setattr(ports, "is_taken", is_taken)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


@pytest.fixture
def user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> User:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return User(folder, capsys)
