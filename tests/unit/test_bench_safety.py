"""The benchmark measures, kills and replaces only what is its own."""

import http.server
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import bench.__main__ as command
from bench import docker, images, local, preconditions, processes, recovery, rounds, table
from bench.commands import BenchError, CommandError, StillRunningError
from bench.report import to_json
from tests.unit.samples import ROOT
from tests.unit.test_bench import sample

CONTAINER = "ef8ec073d60f" + 52 * "0"
TOOK_SIGTERM = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.2)
    pathlib.Path(sys.argv[1], "ended").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1], "started").touch()
time.sleep(60)
"""
INTERRUPTED = """
import sys
from bench.commands import run
from mlflow_compose.cli.signals import raise_signals
raise_signals()
run(sys.executable, "-c", *sys.argv[1:])
"""


def test_an_ordinary_user_must_be_told_to_use_sudo() -> None:
    """Reading the memory of containers' processes would fail after minutes."""
    preconditions.check_root(0)
    with pytest.raises(BenchError, match=r"measuring containers needs root.*\n.*sudo make bench"):
        preconditions.check_root(1000)


def test_the_guard_must_not_fail_for_an_ordinary_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    guard = runpy.run_path(str(ROOT / ".ci" / "guard.py"))
    assert guard["main"]("any-project") == 0
    assert "root" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cgroup", f"9:name=systemd:/docker/{CONTAINER}\n0::/\n"),
        ("cgroup", f"0::/system.slice/docker-{CONTAINER}.scope\n"),
        ("cgroup", f"0::/../docker-{CONTAINER}.scope\n"),
        ("mountinfo", f"1 2 8:1 /var/lib/docker/containers/{CONTAINER}/hostname /etc/hostname rw"),
    ],
)
def test_a_process_of_a_container_must_be_recognized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """Control groups of version 1 and 2, from outside and from inside another cgroup namespace."""
    folder = tmp_path / "7"
    folder.mkdir()
    for each in ("cgroup", "mountinfo"):
        (folder / each).write_text(text if each == name else "0::/\n", encoding="ascii")
    monkeypatch.setattr(processes, "PROC", tmp_path)
    assert processes.belongs(7, CONTAINER)
    assert not processes.belongs(7, CONTAINER.replace("e", "a"))
    assert not processes.belongs(8, CONTAINER)


def test_a_process_number_of_another_machine_must_not_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number that Docker Desktop reports is that of any process here; it would be killed."""
    answers = {"ps": CONTAINER, "inspect": f"mlflow {os.getpid()} {CONTAINER}\n"}
    monkeypatch.setattr(docker, "run", lambda _, name, *__: answers[name])
    with pytest.raises(BenchError, match="is not a process of that container"):
        docker.DockerStack("any").services()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_must_end_the_running_command_first(
    tmp_path: Path, number: signal.Signals
) -> None:
    """`up` would go on starting containers during their removal."""
    argv = [sys.executable, "-c", INTERRUPTED, TOOK_SIGTERM, str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait_for(tmp_path / "started")
        process.send_signal(number)
        process.wait(timeout=20)
    assert (tmp_path / "ended").exists()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path} does not appear"
        time.sleep(0.01)


def test_files_must_stay_if_a_local_stack_does_not_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = object.__new__(local.LocalStack)
    stack.folder, stack.environment_file = tmp_path / "local", str(tmp_path / ".env")
    stack.env = ("--env-file", stack.environment_file)
    monkeypatch.setattr(local, "tool", fail)
    folder = stop_in_scratch(stack)
    assert folder.exists()
    folder.rmdir()


def fail(*_: object, **__: object) -> str:
    raise CommandError("it failed")


def stop_in_scratch(stack: local.LocalStack) -> Path:
    with (
        pytest.raises(StillRunningError, match=r"its files stay.*\nhint: .*down --volumes"),
        command.scratch() as folder,
    ):
        stack.down()
    return folder


def test_files_must_be_deleted_after_any_other_end() -> None:
    with pytest.raises(KeyboardInterrupt), command.scratch() as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def test_an_existing_image_must_not_be_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other stacks of this machine use the same name."""
    stack = object.__new__(docker.OurStack)
    stack.folder, stack.env = tmp_path, ("--env-file", str(tmp_path / ".env"))
    calls: list[str] = []
    present: set[str] = set()

    def run(*argv: str) -> str:
        calls.append(argv[4])
        return "mlflow_server:1\n"

    monkeypatch.setattr(docker, "run", run)
    monkeypatch.setattr(docker, "tool", lambda *_: "")
    monkeypatch.setattr(docker, "exists", present.__contains__)
    stack.prepare()
    assert calls == ["config", "build", "pull"]
    calls.clear()
    present.add("mlflow_server:1")
    stack.prepare()
    assert calls == ["config", "pull"]


def test_the_plain_image_must_depend_on_its_base() -> None:
    names = {images.plain_image(base) for base in ("python:3.13", "python:3.14", "python:3.13")}
    assert len(names) == 2


def test_a_readme_of_others_must_not_be_replaced(tmp_path: Path) -> None:
    command.check_output(tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(table.page(sample()), encoding="utf-8")
    command.check_output(tmp_path)
    readme.write_text("# Benchmark\nMy notes.\n", encoding="utf-8")
    with pytest.raises(BenchError, match="did not write"):
        command.check_output(tmp_path)


@pytest.mark.parametrize("name", command.WRITTEN)
def test_a_file_of_others_must_not_be_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": true}', encoding="utf-8")
    with pytest.raises(BenchError, match=name):
        command.check_output(tmp_path)


def test_results_of_an_interrupted_run_must_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(to_json(sample()), encoding="utf-8")
    command.check_output(tmp_path)


def test_results_must_name_other_containers() -> None:
    assert rounds.others_note(0) == ()
    (note,) = rounds.others_note(3)
    assert note.startswith("3 other containers were running")


class KeepAlive(http.server.BaseHTTPRequestHandler):
    """Answer /health, and keep connections."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def workers() -> Iterator[tuple[int, list[int]]]:
    """Start two processes that answer on one socket, as MLflow's workers do."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeepAlive)
    # All clients connect at once.
    server.socket.listen(recovery.CLIENTS * 2)
    code = """
import socket, sys
from tests.unit.test_bench_safety import KeepAlive
import http.server
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeepAlive, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""
    number = server.socket.fileno()
    argv = [sys.executable, "-c", code, str(number)]
    started = [subprocess.Popen(argv, cwd=ROOT, pass_fds=[number]) for _ in range(2)]
    yield server.server_address[1], [one.pid for one in started]
    for one in started:
        one.kill()
        one.wait()
    server.server_close()


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="it reads /proc")
def test_the_clients_of_a_killed_worker_must_be_seen(workers: tuple[int, list[int]]) -> None:
    """A new connection goes to another worker, so only kept ones show that one has ended."""
    port, pids = workers
    url = f"http://127.0.0.1:{port}"
    found = recovery.keep_asking(
        url, lambda: psutil.Process(processes.busiest(pids, port)).kill(), limit=0.5
    )
    assert len(found) == recovery.CLIENTS
    assert max(recovery.longest_gap(samples) for samples in found) > 0
