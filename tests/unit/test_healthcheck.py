"""The line of shell that checks a container's health."""

import re
import subprocess
from pathlib import Path

import pytest

from mlflow_compose.stack import PROVIDERS, Healthcheck

from .samples import stack

PAUSE, TRY_AGAIN = "9", "1"


class Container:
    """Runs checks as a container does, but only writes down for how long they would sleep."""

    def __init__(self, folder: Path) -> None:
        self.shm = folder / "shm"
        self.shm.mkdir()
        self._programs, self._slept = folder / "bin", folder / "slept"
        self._programs.mkdir()
        sleep = self._programs / "sleep"
        sleep.write_text(f'#!/bin/sh\necho "$1" >> {self._slept}\n', encoding="utf-8")
        sleep.chmod(0o755)

    def check(self, check: Healthcheck) -> tuple[int, list[str]]:
        """Return the exit code of a check, and the seconds of each sleep."""
        self._slept.write_text("", encoding="utf-8")
        line = check.shell.replace("/dev/shm", str(self.shm))  # noqa: S108 - that of the container
        environ = {"PATH": f"{self._programs}:/usr/bin:/bin"}
        done = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, check=False)
        return done.returncode, self._slept.read_text(encoding="utf-8").split()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


@pytest.mark.parametrize("waits", [0, 4])
def test_only_the_first_healthy_check_must_end_at_once(container: Container, waits: int) -> None:
    healthy = Healthcheck(("true",), waits=waits)
    assert container.check(healthy) == (0, [])
    assert container.check(healthy) == (0, [PAUSE])


def test_a_starting_server_must_be_tried_until_it_answers(
    container: Container, tmp_path: Path
) -> None:
    mark = tmp_path / "started"
    starting = Healthcheck(("sh", "-c", f"test -e {mark} || {{ touch {mark}; exit 1; }}"))
    assert container.check(starting) == (0, [TRY_AGAIN])


def test_a_server_that_does_not_answer_must_fail(container: Container) -> None:
    assert container.check(Healthcheck(("false",))) == (1, [TRY_AGAIN] * 9)
    assert container.check(Healthcheck(("false",), waits=4)) == (1, [])


def test_a_mark_that_cannot_be_written_must_not_make_a_server_unhealthy(
    container: Container,
) -> None:
    container.shm.rmdir()
    assert container.check(Healthcheck(("true",))) == (0, [])


def test_a_check_must_have_time_for_its_pause_and_its_command() -> None:
    check = Healthcheck(("true",), timeout=10)
    assert check.limit >= check.timeout + check.pause


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_attempt_must_outlive_the_shell_around_it(provider: str) -> None:
    """Its parent would become the container's first process: PostgreSQL then ends all sessions."""
    servers = stack(S3_PROVIDER=provider)
    for name in ("postgres", "s3"):
        check = servers.service(name).healthcheck
        assert check
        # -t of pg_isready, --max-time of curl, -T of wget.
        limited = re.search(r"(?:-t|--max-time|-T) (\d+)\b", " ".join(check.command))
        assert limited
        seconds = int(limited[1])
        assert check.pause * (seconds + 1) + seconds < check.limit
