"""Commands run inside a service: stdin, stdout, exit code and a mounted folder, on both engines."""

import signal
import threading
from pathlib import Path

import pytest

from mlflow_compose.engines import Engine, SharedFolder

from .docker_stack import DockerStack
from .inside import engine_of
from .running import SERVERS, RunningStack, docker_only

EVERY_BYTE = bytes(range(256)) * 1000
# Calls `pg_dump` with nothing but the service's own secrets.
CONNECT = 'export PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"; exec "$@"'


@pytest.fixture
def inside(shared: RunningStack) -> Engine:
    """Return the engine of the session's stack."""
    return engine_of(shared)


@pytest.mark.parametrize("service", SERVERS)
def test_bytes_must_pass_through_any_service_unchanged(
    inside: Engine, service: str, tmp_path: Path
) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(EVERY_BYTE)
    chunks: list[bytes] = []
    with file.open("rb") as stdin:
        outcome = inside.run(service, ["cat"], stdin=stdin, on_output=chunks.append)
    assert outcome.exit_code == 0, outcome
    assert b"".join(chunks) == EVERY_BYTE


def test_a_dump_of_the_database_must_be_readable(
    inside: Engine, shared: RunningStack, tmp_path: Path
) -> None:
    """Uses `pg_dump`'s custom format, piped out of one command and into another."""
    run = shared.log_run()
    host, port = inside.stack.site.database
    login = ["-h", host, "-p", str(port), "-U", "mlflow", "mlflow"]
    dump = inside.run("postgres", ["sh", "-c", CONNECT, "sh", "pg_dump", "-Fc", *login])
    assert dump.exit_code == 0, dump.stderr
    file = tmp_path / "dump"
    file.write_bytes(dump.stdout)
    with file.open("rb") as stdin:
        script = inside.run("postgres", ["pg_restore", "-f", "-"], stdin=stdin)
    assert script.exit_code == 0, script.stderr
    assert run.id in script.stdout.decode()


def test_a_folder_must_be_readable_and_if_allowed_writable(inside: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "given").write_bytes(EVERY_BYTE)
    # A container runs as another user.
    folder.chmod(0o777)
    copy = ["sh", "-c", 'cd "$SHARED_FOLDER" && cp given taken']
    assert inside.run("mlflow", copy, folder=SharedFolder(folder, writable=True)).exit_code == 0
    assert (folder / "taken").read_bytes() == EVERY_BYTE


def test_the_exit_code_and_stderr_of_a_command_must_be_returned(inside: Engine) -> None:
    outcome = inside.run("mlflow", ["sh", "-c", "echo no room >&2; exit 7"])
    assert (outcome.exit_code, outcome.last_line) == (7, "no room")


@docker_only("processes of this machine are ended by the unit tests of signals")
@pytest.mark.parametrize("seconds", [0.03, 0.045, 0.06])
def test_no_container_must_be_created_after_an_interruption(
    inside: Engine, shared: RunningStack, seconds: float
) -> None:
    """By then, Compose has started but has not yet asked for the container."""
    assert isinstance(shared, DockerStack)
    main = threading.main_thread().ident
    assert main
    timer = threading.Timer(seconds, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        inside.run("mlflow", ["sleep", "60"])
    # Takes longer than whatever may still be starting.
    assert inside.run("mlflow", ["true"]).exit_code == 0
    assert shared.one_offs() == []
