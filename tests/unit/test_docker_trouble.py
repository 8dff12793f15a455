"""Docker can be missing in four ways; each has its own error message and hint."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlflow_compose.engines.docker.failures import build_failed, last_line, pull_failed
from tests.unit.conftest import User
from tests.unit.samples import SECRETS, stack

SECRET = SECRETS["PG_PASSWORD"]


@pytest.fixture
def bin_folder(user: User, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in PATH."""
    folder = user.folder / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    user.has_env("STACK_ENGINE=docker")
    return folder


def has_docker(folder: Path, script: str) -> None:
    """Create a docker command there that runs `script` in sh."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)


@pytest.mark.parametrize("command", ["up", "down", "status", "verify", "logs"])
def test_a_missing_docker_must_be_reported(user: User, bin_folder: Path, command: str) -> None:
    assert not list(bin_folder.iterdir())
    result = user.types(command)
    assert result.code == 1
    assert "error: Docker is not installed: docker is not in PATH\n" in result.err
    assert "hint: see https://docs.docker.com/get-started/get-docker/\n" in result.err


def test_a_missing_compose_must_be_reported(user: User, bin_folder: Path) -> None:
    has_docker(bin_folder, "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1")
    result = user.types("status")
    assert result.code == 1
    assert result.err.startswith("error: Docker Compose v2 is not installed")
    assert "hint: see https://docs.docker.com/compose/install/" in result.err


@pytest.mark.parametrize("chosen", ["docker", "auto"])
def test_ctrl_c_while_docker_is_asked_must_end_the_command(
    user: User, bin_folder: Path, chosen: str
) -> None:
    """It also ends `docker compose version`, which must not look as if Compose were missing."""
    user.has_env(f"STACK_ENGINE={chosen}")
    asked = bin_folder / "asked"
    has_docker(bin_folder, f'echo "$*" >>"{asked}"; exec sleep 60')
    with subprocess.Popen(
        [sys.executable, "-m", "mlflow_compose", "status"],
        cwd=user.folder,
        env={**os.environ, "PATH": f"{bin_folder}:/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not asked.exists() or asked.read_text().count("\n") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "error: interrupted\n")


@pytest.mark.parametrize(
    ("stderr", "sentence", "hint"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "error: Docker's engine does not answer: Cannot connect to the Docker daemon",
            "hint: start Docker Desktop, or run sudo systemctl start docker",
        ),
        (
            "dial unix /var/run/docker.sock: connect: permission denied",
            "error: this user may not use Docker: permission denied on its socket",
            'hint: sudo usermod -aG docker "$USER", then log in again',
        ),
    ],
)
def test_an_unusable_engine_must_be_reported(
    user: User, bin_folder: Path, stderr: str, sentence: str, hint: str
) -> None:
    has_docker(
        bin_folder,
        f'case "$*" in *compose*version*) echo 2.40.3; exit 0;; esac\necho "{stderr}" >&2; exit 1',
    )
    result = user.types("status")
    assert result.code == 1
    assert result.err.startswith(sentence)
    assert hint in result.err


def test_the_error_must_be_in_the_envelope_too(user: User, bin_folder: Path) -> None:
    assert bin_folder.is_dir()
    envelope = json.loads(user.types("status", "--json").out)
    assert envelope["errors"][0]["code"] == "engine"
    assert envelope["ok"] is False


def test_nothing_must_be_written_if_docker_is_missing(user: User, bin_folder: Path) -> None:
    assert bin_folder.is_dir()
    user.types("up")
    assert not (user.folder / "compose").exists()


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ("SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed", "BUILD_CA_CERTS"),
        ("error: invalid peer certificate: UnknownIssuer", "BUILD_CA_CERTS"),
        (
            "ERROR: failed to resolve source metadata for registry.example.org/python",
            "PYTHON_IMAGE",
        ),
        ("pull access denied, repository does not exist", "PYTHON_IMAGE"),
        ("error: Failed to fetch: `https://packages.example.org/simple/boto3/`", "PIP_INDEX_URL"),
        ("Temporary failure in name resolution", "PIP_INDEX_URL"),
        ("No space left on device", "make room on the disk"),
        ("JUPYTER_PACKAGES cannot be installed", "JUPYTER_PACKAGES"),
        ("something that nobody foresaw", "compose build"),
    ],
)
def test_a_failed_build_must_name_the_setting_that_helps(line: str, setting: str) -> None:
    error = build_failed(stack(), "mlflow_server:1", ["#1 one", "", line])
    assert error.message.startswith("the image mlflow_server:1 could not be built")
    assert line in error.message
    assert setting in (error.hint or "")
    assert error.code == "build"


def test_a_failed_build_must_show_its_last_lines_without_secrets() -> None:
    lines = [f"line {number}" for number in range(100)]
    error = build_failed(stack(), "image", [*lines, f"password {SECRET}"])
    assert "line 99" in error.message
    assert "line 50" not in error.message
    assert SECRET not in error.message


def test_a_failed_pull_must_name_the_setting_that_helps() -> None:
    error = pull_failed(stack(), ["postgres:18.4"], f"one\n{SECRET}: no such host\n\n")
    assert error.message == "postgres:18.4 could not be pulled: ********: no such host"
    assert "POSTGRES_IMAGE" in (error.hint or "")
    withdrawn = pull_failed(stack(), ["minio/minio:latest"], "not found")
    assert "withdrawn" in (withdrawn.hint or "")


@pytest.mark.parametrize(("text", "line"), [("", ""), ("\n\n", ""), ("a\n b \n\n", "b")])
def test_the_last_line_must_be_the_last_meaningful_one(text: str, line: str) -> None:
    assert last_line(text) == line
