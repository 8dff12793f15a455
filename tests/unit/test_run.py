"""Commands inside a service: output arrives unchanged and in time, the exit code is reported."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose.engines.base import ServiceStatus, SharedFolder
from mlflow_compose.engines.docker import one_off
from mlflow_compose.engines.local import LocalEngine, orphans
from mlflow_compose.engines.local.processes import Owner, is_gone, of
from mlflow_compose.engines.local.supervisor import is_running
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import CHUNK, KEPT_ERRORS, run_process
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import StackPaths
from mlflow_compose.render import render, write
from mlflow_compose.stack import Machine
from tests.unit.samples import local_stack

# Its own in each process that runs tests: they see each other's processes.
IDENTITY = f"{os.getpid():016x}"
EVERY_BYTE = bytes(range(256))
TALK = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000); sys.exit(3)"


def test_output_must_arrive_unchanged_in_chunks_that_fit_into_memory() -> None:
    chunks: list[bytes] = []
    outcome = run_process([sys.executable, "-c", TALK], on_output=chunks.append)
    assert b"".join(chunks) == EVERY_BYTE * 1000
    assert max(map(len, chunks)) <= CHUNK
    assert outcome.stdout == b""
    assert outcome.exit_code == 3


def test_a_long_output_must_not_be_kept_in_memory() -> None:
    """A database dump may be larger than memory; it is only read as fast as it is consumed."""
    write = "import os; [os.write(1, b'x' * 65536) for _ in range(8000)]"
    read = f"""
import sys, tracemalloc
from mlflow_compose.engines.process import run_process
sizes = []
tracemalloc.start()
run_process([sys.executable, "-c", {write!r}], on_output=lambda chunk: sizes.append(len(chunk)))
print(sum(sizes), tracemalloc.get_traced_memory()[1])
"""
    size, memory = map(int, run_process([sys.executable, "-c", read]).stdout.split())
    assert size == 8000 * 65536
    assert memory < size / 100


def test_a_command_must_be_able_to_read_a_file(tmp_path: Path) -> None:
    file = tmp_path / "dump"
    file.write_bytes(EVERY_BYTE)
    with file.open("rb") as stdin:
        assert run_process(["cat"], stdin=stdin).stdout == EVERY_BYTE


def test_all_output_must_be_kept_without_a_reader() -> None:
    outcome = run_process([sys.executable, "-c", TALK])
    assert outcome.stdout == EVERY_BYTE * 1000


def test_errors_of_any_length_must_not_stop_a_command() -> None:
    write = "import sys; sys.stderr.write('x' * 200_000 + 'the end')"
    outcome = run_process([sys.executable, "-c", write])
    assert outcome.stderr.endswith("the end")
    assert len(outcome.stderr) == KEPT_ERRORS


def test_a_signal_must_be_reported_as_in_a_shell() -> None:
    """As Docker reports it."""
    outcome = run_process(["sh", "-c", "kill -9 $$"])
    assert outcome.exit_code == 137


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "text"),
    [
        (7, b"", "first\nno room\n", "no room (exit code 7)"),
        (1, b"", "KeyError: 'x'\n", "KeyError: 'x'"),
        # Compose's empty line.
        (4, b"no room\n", "\n", "no room (exit code 4)"),
        (1, b"", "\n", "no output (exit code 1)"),
        (137, b"", "", "no output (ended by SIGKILL, exit code 137)"),
        (137, b"", "a warning\n", "a warning (ended by SIGKILL, exit code 137)"),
        (255, b"", "", "no output (exit code 255)"),
    ],
)
def test_a_failure_must_be_described_by_its_last_line_and_its_end(
    code: int, stdout: bytes, stderr: str, text: str
) -> None:
    assert Outcome(code, stdout, stderr).failure == text


@pytest.mark.parametrize("writable", [True, False])
def test_a_folder_must_be_mounted_read_only_unless_it_is_writable(*, writable: bool) -> None:
    _, volume, *_ = one_off._mount(SharedFolder(Path("/home/student/a"), writable=writable))
    assert volume == f"/home/student/a:/mnt/shared:{'rw' if writable else 'ro'}"


def test_a_folder_that_docker_cannot_mount_must_be_reported() -> None:
    with pytest.raises(EngineError, match="a colon in its path"):
        one_off._mount(SharedFolder(Path("/home/student/a:b")))


@pytest.fixture
def local(tmp_path: Path) -> LocalEngine:
    """Return the engine of a rendered stack whose only package is Python."""
    machine = Machine(cache=str(tmp_path / "cache"), python="cpython")
    found = replace(local_stack(machine), identity=IDENTITY)
    paths = StackPaths(tmp_path / ".env")
    write(render(found), paths.local)
    python = Path(found.service("mlflow").image) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return LocalEngine(found, paths, {"PATH": os.environ["PATH"]})


def test_python_must_leave_nothing_next_to_the_scripts_of_a_service(
    local: LocalEngine, tmp_path: Path
) -> None:
    """Files newer than the server's start would make the next `up` restart it."""
    plugins = tmp_path / "local" / "mlflow" / "plugins"
    (plugins / "any_plugin.py").touch()
    before = sorted(plugins.rglob("*"))
    # In a child process, as when MLflow's command line runs.
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import any_plugin'])"
    assert local.run("mlflow", ["python", "-c", code]).exit_code == 0
    assert sorted(plugins.rglob("*")) == before


def test_a_command_must_run_with_the_services_environment_and_the_shared_folder(
    local: LocalEngine, tmp_path: Path
) -> None:
    shared = SharedFolder(tmp_path / "here", writable=True)
    outcome = local.run(
        "postgres", ["sh", "-c", 'echo "$POSTGRES_DB $SHARED_FOLDER"'], folder=shared
    )
    assert outcome.stdout.decode().split() == ["mlflow", str(tmp_path / "here")]


def test_a_command_must_not_seem_to_be_a_service_nor_be_ended_while_it_runs(
    local: LocalEngine, tmp_path: Path
) -> None:
    """It carries the stack's marks, by which it is found if this process is killed."""
    owner = Owner(IDENTITY, tmp_path / "local")
    found: list[tuple[int, int, Sequence[ServiceStatus], bool]] = []

    def look(output: bytes) -> None:
        orphans.end_orphans(owner)
        orphans.end_abandoned_commands(owner)
        found.extend(
            (int(output), process.pid, local.status(), is_running(owner)) for process in of(owner)
        )

    outcome = local.run("mlflow", ["sh", "-c", "echo $$; sleep 0.5"], on_output=look)
    assert outcome.exit_code == 0
    number = found[0][0]
    assert (number, number, (), False) in found


def test_a_command_must_not_meet_what_a_killed_one_left(local: LocalEngine) -> None:
    """As an import that is run again after `kill -9`; here, a command leaves one behind."""
    script = "sleep 60 >/dev/null 2>&1 & echo $!"
    number = int(local.run("mlflow", ["sh", "-c", script]).stdout)
    assert not is_gone(number)
    assert local.run("mlflow", ["true"]).exit_code == 0
    assert is_gone(number)


def test_missing_packages_must_be_reported(tmp_path: Path) -> None:
    found = local_stack(Machine(cache=str(tmp_path / "cache"), python="cpython"))
    outcome = LocalEngine(found, StackPaths(tmp_path / ".env"), {}).run("postgres", ["pg_dump"])
    assert outcome.exit_code == 1
    assert outcome.last_line.endswith("is missing: mlflow-compose up creates it")
