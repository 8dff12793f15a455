"""Commands that are ended from outside: real signals to real processes, and closed pipes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import typer

from mlflow_compose.cli.signals import Ended, cancelled_by, until_ctrl_c
from mlflow_compose.console import Console
from mlflow_compose.engines import process as engines_process
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.docker.one_off import run_once
from mlflow_compose.engines.docker.watch import watch
from mlflow_compose.engines.local.processes import is_gone
from mlflow_compose.engines.process import run_process
from tests.unit.fakes import FakeScreen
from tests.unit.processes import child
from tests.unit.samples import stack

# Waits, cleans up without interruption when signaled, and exits like a command.
WORK = """
import sys
from mlflow_compose.cli.signals import cancelled_by, raise_signals
raise_signals()
try:
    try:
        print("here", flush=True)
        sys.stdin.readline()
    finally:
        print("cleaning up", flush=True)
        sys.stdin.readline()
        print("clean", flush=True)
except KeyboardInterrupt as end:
    sys.exit(cancelled_by(end).exit_code)
"""
PYTHON = (sys.executable, "-c", WORK)
SLEEP = ["sleep", "60"]


def ended(process: "subprocess.Popen[str]", *signals: signal.Signals) -> tuple[int, str]:
    """Send signals to a process that cleans up; return its exit code and last line."""
    assert process.stdin
    assert process.stdout
    first, *more = signals
    process.send_signal(first)
    assert process.stdout.readline() == "cleaning up\n"
    for number in more:
        process.send_signal(number)
    process.stdin.write("\n")
    process.stdin.flush()
    last = process.stdout.readline()
    return process.wait(timeout=10), last


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_must_end_a_command_with_its_own_code(number: signal.Signals, code: int) -> None:
    with child(*PYTHON) as process:
        assert ended(process, number) == (code, "clean\n")


def test_ctrl_c_while_modules_are_imported_must_leave_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "mlflow_compose", "config"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        # The commands are imported after this point.
        imported = iter(process.stderr.readline, "")
        assert any("| " in line and line.rstrip().endswith(" typer") for line in imported)
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_must_not_interrupt_the_clean_up(second: signal.Signals) -> None:
    with child(*PYTHON) as process:
        assert ended(process, signal.SIGINT, second, second) == (130, "clean\n")


def test_an_ignored_signal_must_stay_ignored() -> None:
    """For example by nohup."""
    with child("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *PYTHON) as process:
        process.send_signal(signal.SIGHUP)
        assert ended(process, signal.SIGTERM) == (143, "clean\n")


def test_a_signal_must_be_reported_in_words() -> None:
    found = {number: cancelled_by(Ended(number)).code for number in (signal.SIGTERM, signal.SIGHUP)}
    assert found == {signal.SIGTERM: "terminated", signal.SIGHUP: "hung_up"}
    assert cancelled_by(KeyboardInterrupt()).code == cancelled_by(Ended(signal.SIGINT)).code


# --- processes started by a command must not outlive it


def interrupt(output: bytes) -> None:
    raise KeyboardInterrupt(output)


def sleeping_processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if sleeps(child)]


def sleeps(process: psutil.Process) -> bool:
    try:
        return process.cmdline() == SLEEP
    except psutil.NoSuchProcess:
        # Also if it has ended and its exit code is not read yet.
        return False


def test_a_process_next_to_a_service_must_end_with_the_command(tmp_path: Path) -> None:
    script = "echo started; exec sleep 60"
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", script], folder=tmp_path, on_output=interrupt)
    assert sleeping_processes() == []


@dataclass
class Started:
    """Collects the process numbers that a command prints, then interrupts."""

    text: bytes = b""

    def interrupt(self, output: bytes) -> None:
        self.text += output
        raise KeyboardInterrupt

    def interrupt_soon(self, output: bytes) -> None:
        self.text += output
        main = threading.main_thread().ident
        assert main
        threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()

    @property
    def alive(self) -> list[int]:
        """Those that still run."""
        pids = list(map(int, self.text.split()))
        assert pids
        return [pid for pid in pids if not is_gone(pid)]


def test_processes_that_a_command_started_must_end_with_it() -> None:
    started = Started()
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", "sleep 60 & echo $$ $!; wait"], on_output=started.interrupt)
    assert started.alive == []


def test_a_command_that_closed_its_output_must_be_ended() -> None:
    started = Started()
    script = "sleep 60 >/dev/null & echo $$ $!; exec >&-; wait"
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", script], on_output=started.interrupt_soon)
    assert started.alive == []


def test_a_command_that_ignores_signals_must_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines_process, "ENDS_WITHIN", 0.3)
    started = Started()
    script = 'trap "" TERM; sleep 60 & echo $$ $!; wait'
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", script], on_output=started.interrupt)
    assert started.alive == []


def test_a_process_that_a_command_starts_while_it_ends_must_end_as_well(tmp_path: Path) -> None:
    late = tmp_path / "late"
    started = Started()
    script = (
        "trap 'sleep 60 & echo $! > late; wait; exit' TERM; echo $$; while :; do sleep 0.1; done"
    )
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", script], folder=tmp_path, on_output=started.interrupt)
    assert is_gone(int(late.read_text()))


@dataclass
class FakeContainers:
    """Containers of an engine that takes a moment to create one.

    Attributes:
        started: Processes of the command that asks for it.
        looks: Number of looks until it exists.
    """

    started: Started
    looks: int
    removed: list[str] = field(default_factory=list)

    def exists(self, name: str) -> bool:
        del name
        assert self.started.alive == []
        self.looks -= 1
        return self.looks <= 0

    def remove(self, name: str, *, force: bool) -> None:
        assert force
        self.removed.append(name)


@pytest.mark.parametrize("looks", [1, 3])
def test_a_container_must_be_removed_once_nothing_can_create_it_again(
    tmp_path: Path, looks: int
) -> None:
    """Docker's command runs Compose as a process of its own."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nsleep 60 & echo $$ $!; wait\n", encoding="utf-8")
    docker.chmod(0o755)
    started = Started()
    containers = FakeContainers(started, looks)
    config = SimpleNamespace(compose_project_name="mlflow", docker_compose_cmd=[docker])
    client: Any = SimpleNamespace(client_config=config, container=containers)
    with pytest.raises(KeyboardInterrupt):
        run_once(client, "mlflow", ["true"], on_output=started.interrupt)
    assert [name.startswith("mlflow-mlflow-run-") for name in containers.removed] == [True]


def test_compose_must_stop_starting_services_when_the_command_ends() -> None:
    def starting() -> Iterable[tuple[str, bytes]]:
        with subprocess.Popen(SLEEP) as process:
            yield "stderr", b"Container mlflow Starting"
            process.wait()

    looks: list[int] = []

    def look() -> tuple[ServiceStatus, ...]:
        looks.append(len(sleeping_processes()))
        if any(looks):
            raise KeyboardInterrupt
        return ()

    with pytest.raises(KeyboardInterrupt):
        watch(stack(), starting(), (), look, FakeScreen(), wait_timeout=30)
    assert looks[-1] == 1
    assert sleeping_processes() == []


# --- closed pipes


@contextmanager
def closed_pipe() -> Iterator[Console]:
    """Yield a console whose reader has exited, as after `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as err:
        yield Console(sys.stdout, err, {}, as_json=False, quiet=False)


def test_a_closed_pipe_must_not_stop_the_work() -> None:
    done = []
    with closed_pipe() as shown:
        shown.note("a note")
        shown.command(["docker", "compose", "up"])
        with shown.step("Starting"):
            shown.detail("mlflow started")
            done.append("started")
        shown.fail("up", cancelled_by(KeyboardInterrupt()))
    assert done == ["started"]


def test_a_closed_pipe_must_not_change_the_exit_code(tmp_path: Path) -> None:
    """The interpreter's final flush must not change it either."""
    script = f"{sys.executable} -m mlflow_compose status 2>&1 >/dev/null | true"
    command = f'{script}; echo "${{PIPESTATUS[0]}}"'
    for _ in range(3):
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        assert done.stdout == "2\n"


def test_ctrl_c_must_be_no_error_of_what_runs_until_then() -> None:
    with pytest.raises(typer.Exit) as caught, until_ctrl_c():
        raise Ended(signal.SIGINT)
    assert caught.value.exit_code == 130
    with pytest.raises(Ended), until_ctrl_c():
        raise Ended(signal.SIGTERM)
