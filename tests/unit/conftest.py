"""A user with an empty folder and a clean environment."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlflow_compose.cli.run import run
from mlflow_compose.engines import ports
from mlflow_compose.settings import declared
from mlflow_compose.settings.names import OUR_PREFIXES
from tests.unit.samples import env_text

# On which a user's own stack may be running.
DEFAULT_PORTS = frozenset({5000, 5432, 9000, 9001})


@dataclass(frozen=True)
class Said:
    """What a command line left on the screen."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class User:
    """Somebody who types commands in a folder of their own."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def compose_file(self) -> Path:
        return self.folder / "compose" / "docker-compose.yaml"

    def has_env(self, *lines: str, without: Sequence[str] = ()) -> None:
        """Write an `.env` that is fine, but for these lines."""
        self.env_file.write_text(env_text(*lines, without=without), encoding="utf-8", newline="")

    def types(self, *argv: str) -> Said:
        """Run one command line."""
        self.capture.readouterr()
        code = run(argv)
        said = self.capture.readouterr()
        return Said(code, said.out, said.err)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what a developer's shell may say to our tool."""
    names = dict(declared())
    for name in os.environ:
        if name in names or name.startswith(OUR_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _stacks_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test find what it would find beside a running stack: its ports are taken.

    And keep tests from asking Docker's engine, which may be running one of the same name.
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
