"""Commands that are ended from outside: real signals to real processes, and closed pipes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mlflow_compose.cli.signals import Ended, cancelled_by
from mlflow_compose.console import Console
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.docker.watch import watch
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
    children = psutil.Process().children(recursive=True)
    return [process for process in children if process.cmdline() == SLEEP]


def test_a_process_next_to_a_service_must_end_with_the_command(tmp_path: Path) -> None:
    script = "echo started; exec sleep 60"
    with pytest.raises(KeyboardInterrupt):
        run_process(["sh", "-c", script], folder=tmp_path, on_output=interrupt)
    assert sleeping_processes() == []


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
        watch(stack(), starting(), look, FakeScreen(), wait_timeout=30)
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
