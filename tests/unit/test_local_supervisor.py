"""A supervisord that does not answer properly, or is still busy."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.supervisor import Supervisor
from tests.unit.samples import IDENTITY

# A program that takes its time to end.
SLOW = """
[unix_http_server]
file=supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
nodaemon=true
[program:slow]
command=sh -c 'trap "sleep 1; exit" TERM; while :; do sleep 0.1; done'
startsecs=0
"""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Supervisor]:
    """Return a supervisord that runs a program which takes its time to end."""
    (tmp_path / "supervisord.conf").write_text(SLOW, encoding="utf-8")
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", "supervisord.conf"]
    found = Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        until((tmp_path / "supervisor.sock").exists)
        until(lambda: state(found) == "RUNNING")
        yield found
        process.terminate()


def state(found: Supervisor) -> str:
    return found.processes()["slow"].state


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a socket whose server accepts connections and closes them."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "supervisor.sock"))
        server.listen()

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = Thread(target=hang_up, daemon=True)
        thread.start()
        yield tmp_path
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def test_a_supervisord_that_hangs_up_must_count_as_running(busy: Path) -> None:
    """Otherwise its servers would be killed as orphans."""
    assert Supervisor(Owner(IDENTITY, busy), "supervisor.sock").answers()


def test_a_socket_without_a_server_must_not_count_as_running(tmp_path: Path) -> None:
    assert not Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock").answers()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "supervisor.sock"))
    assert (tmp_path / "supervisor.sock").exists()
    assert not Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock").answers()


def test_a_program_that_is_being_stopped_must_be_started_again(slow: Supervisor) -> None:
    """A command that was killed may have asked to stop it."""
    stopping = Thread(target=slow.stop_process, args=["slow"])
    stopping.start()
    until(lambda: state(slow) == "STOPPING")
    slow.start_process("slow")
    stopping.join()
    until(lambda: state(slow) == "RUNNING")
