"""What can happen to processes of a machine, and cannot to containers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .conftest import MakeStack
from .local_stack import LocalStack
from .markers import Markers
from .running import SERVERS, local_only
from .security import lan_address
from .tool import SCRIPT, run, tool
from .waiting import wait_until

pytestmark = local_only("it is about processes of this machine")

SECRETS = (
    *("PG_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"),
    *("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MLFLOW_ADMIN_PASSWORD"),
)


def kill(*processes: psutil.Process) -> None:
    """Kill processes as the system would, and wait until they are gone."""
    for process in processes:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)


def supervisor(stack: LocalStack) -> psutil.Process:
    """Return the supervisord of a stack."""
    return psutil.Process(int(pid_file(stack).read_text(encoding="utf-8")))


def pid_file(stack: LocalStack) -> Path:
    return stack.local_folder / "run" / "supervisord.pid"


def test_up_must_take_over_after_kill_9_of_supervisord(mended: LocalStack) -> None:
    """Servers that nobody watches any more are ended, not left beside the new ones."""
    run, orphans = mended.log_run(), set(mended.pids().values())
    kill(supervisor(mended))
    assert mended.tool("status", "--json").data["services"] == []
    mended.up()
    mended.expect(run)
    assert orphans.isdisjoint(psutil.pids())
    assert set(mended.pids().values()) <= {process.pid for process in mended.processes()}


def test_everything_must_come_back_after_kill_9_of_all_of_it(mended: LocalStack) -> None:
    """As when the machine lost its power."""
    run = mended.log_run()
    kill(*mended.processes())
    assert list(mended.processes()) == []
    mended.tool("up")
    mended.expect(run)


def test_a_lock_of_the_database_with_somebody_elses_number_must_not_stop_it(
    mended: LocalStack,
) -> None:
    """After a restart of the machine, the number in it may be another program's."""
    run = mended.log_run()
    lock = mended.local_folder / "data" / "postgres_data" / "pgdata" / "postmaster.pid"
    lines = lock.read_text(encoding="utf-8").splitlines()
    kill(*mended.processes())
    text = "\n".join([str(os.getpid()), *lines[1:], ""])
    lock.write_text(text, encoding="utf-8")
    mended.up()
    mended.expect(run)


def test_a_pid_file_and_a_socket_of_nobody_must_not_stop_it(mended: LocalStack) -> None:
    kill(*mended.processes())
    pid_file(mended).write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert (mended.local_folder / "run" / "supervisor.sock").is_socket()
    mended.up()
    assert supervisor(mended).pid != os.getpid()


def test_workers_of_a_killed_mlflow_must_not_keep_its_port(shared: LocalStack) -> None:
    """It has children, which go on listening."""
    parent = psutil.Process(shared.pids()["mlflow"])
    children = parent.children(recursive=True)
    assert children
    before = shared.starts()
    kill(parent)
    wait_until(
        lambda: shared.starts().get("mlflow", before["mlflow"]) != before["mlflow"],
        seconds=30,
        what="mlflow is started again",
    )
    shared.wait_until_healthy(seconds=60)
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    "name", ["a path with spaces, 'quotes' and $HOME %(here)s", "long/" * 30], ids=["odd", "long"]
)
def test_a_stack_must_run_in_a_folder_of_any_name(
    name: str, make_stack: MakeStack, tmp_path: Path
) -> None:
    """A Unix socket's path must be shorter than some folders' are."""
    stack = make_stack()
    home, folder = stack.folder, tmp_path / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(home, folder)
    stack.folder, stack.env_file = folder, folder / ".env"
    try:
        stack.tool("up")
        run = stack.log_run()
        stack.up()
        stack.expect(run)
        assert stack.tool("logs", "mlflow", "--tail", "1").out.startswith("mlflow | ")
    finally:
        stack.purge()
        stack.folder, stack.env_file = home, home / ".env"


def test_the_terminal_may_be_closed(stack: LocalStack) -> None:
    """Servers belong to no session that ends with whoever started them."""
    stack.up()
    ours = os.getsid(0)
    assert all(os.getsid(process.pid) != ours for process in stack.processes())
    assert supervisor(stack).ppid() == 1


def test_the_database_must_take_no_login_without_the_password(shared: LocalStack) -> None:
    """Neither by TCP nor by a socket, of which there is none."""
    rules = (shared.local_folder / "data/postgres_data/pgdata/pg_hba.conf").read_text("utf-8")
    ways = [line.split()[-1] for line in rules.splitlines() if line and line[0] != "#"]
    assert set(ways) == {"scram-sha-256"}
    assert shared.sql("SHOW unix_socket_directories") == [""]


def test_logs_and_marks_must_be_closed_to_others(mended: LocalStack) -> None:
    """Whatever the umask of who starts it, and however an earlier version made the folders."""
    folders = [mended.local_folder / name for name in ("logs", "run")]
    for folder in folders:
        folder.chmod(0o755)
    before = os.umask(0)
    try:
        mended.up()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    assert modes == [0o700, 0o700]


def test_a_published_database_must_take_the_password_from_the_network(
    make_stack: MakeStack,
) -> None:
    address = lan_address()
    stack = make_stack(STACK_BIND_ADDRESS=address, MLFLOW_AUTH="basic", PG_PUBLISH="true")
    stack.up()
    query = ("psql", "-h", address, "-U", "mlflow", "-d", "mlflow", "-AtXc", "SELECT 1")
    assert stack.execute("postgres", *query).strip() == "1"
    stack.changed_password = "another"
    with pytest.raises(AssertionError, match="password authentication failed"):
        stack.execute("postgres", *query)


@pytest.fixture
def marked(make_stack: MakeStack) -> tuple[LocalStack, Markers, str]:
    """Return a stack with a marker in every secret, and everything that was printed."""
    markers = Markers(*SECRETS)
    stack = make_stack(MLFLOW_AUTH="basic", **{name: markers[name] for name in SECRETS})
    assert isinstance(stack, LocalStack)
    said = [stack.tool(*line.split()).text for line in ("up", "status", "logs", "config", "verify")]
    return stack, markers, "\n".join(said)


def test_a_secret_must_be_where_it_belongs_and_nowhere_else(
    marked: tuple[LocalStack, Markers, str],
) -> None:
    stack, markers, said = marked
    assert markers.found_in(said) == set()
    for process in stack.processes():
        assert markers.found_in(" ".join(process.cmdline())) == set()
    data, secrets = stack.local_folder / "data", stack.local_folder / "secrets"
    for file in stack.local_folder.rglob("*"):
        if file.is_file() and not file.is_relative_to(data) and not file.is_relative_to(secrets):
            assert markers.found_in(file.read_bytes().decode(errors="replace")) == set(), file
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.glob("[!.]*")} == {0o600}


def test_a_bucket_that_cannot_be_made_must_stop_the_start(stack: LocalStack) -> None:
    """MLflow is not started before the job has done its work."""
    stack.write(MINIO_VOLUME_PATH="objects")
    (stack.folder / "objects").mkdir()
    (stack.folder / "objects" / stack.bucket).symlink_to("nowhere")
    said = stack.up(code=1)
    said.shows("error: bucket-init ended with exit code 1", "hint: mlflow-compose logs bucket-init")
    assert not (stack.local_folder / "run" / "bucket-init.done").exists()


def test_a_server_that_cannot_start_must_fail_up_with_its_last_lines(mended: LocalStack) -> None:
    """Those of this start, and not of the one before."""
    conf = mended.local_folder / "data" / "postgres_data" / "pgdata" / "postgresql.conf"
    kept = conf.read_text(encoding="utf-8")
    mended.tool("down")
    try:
        conf.write_text(f"{kept}\nfirst_mistake = 1\n", encoding="utf-8")
        said = mended.up(code=1)
        said.shows("error: postgres ends again and again", "first_mistake")
        said.shows("hint: mlflow-compose logs postgres")
        conf.write_text(f"{kept}\nsecond_mistake = 1\n", encoding="utf-8")
        for running in (True, False):
            if not running:
                mended.tool("down")
            said = mended.up(code=1)
            said.shows("error: postgres ends again and again", "second_mistake")
            assert "first_mistake" not in said.text
    finally:
        conf.write_text(kept, encoding="utf-8")


def test_a_folder_of_objects_that_cannot_be_one_must_be_named(stack: LocalStack) -> None:
    path = stack.folder / "objects"
    path.write_text("in the way", encoding="utf-8")
    stack.write(MINIO_VOLUME_PATH="objects/here")
    stack.up(code=1).shows(f"error: {path}/here must be a folder")
    path.unlink()
    path.symlink_to("objects")
    stack.up(code=1).shows(f"error: {path}/here cannot be used: Too many levels of symbolic links")


def test_a_folder_of_minio_must_not_be_touched(stack: LocalStack) -> None:
    mark = stack.folder / "objects" / ".minio.sys"
    mark.mkdir(parents=True)
    stack.write(MINIO_VOLUME_PATH="objects")
    stack.up(code=1).shows("MINIO_VOLUME_PATH", "S3_PROVIDER minio", "hint: ")
    assert list(mark.parent.iterdir()) == [mark]


def test_a_key_that_rclone_cannot_hold_must_be_named(stack: LocalStack) -> None:
    stack.write(MINIO_SECRET_ACCESS_KEY="eight,characters")
    said = stack.up(code=1)
    said.shows("MINIO_SECRET_ACCESS_KEY must not hold a comma")
    assert "eight,characters" not in said.text


def test_follow_must_show_new_lines_and_end_with_the_stack(stack: LocalStack) -> None:
    stack.up()
    command = [sys.executable, "-m", "mlflow_compose", "logs", "mlflow", "--follow", "--tail", "0"]
    with subprocess.Popen(command, cwd=stack.folder, stdout=subprocess.PIPE, text=True) as follower:
        stack.restart("mlflow")
        stack.wait_until_healthy("mlflow")
        stack.tool("down")
        said, _ = follower.communicate(timeout=30)
    assert "Uvicorn running on" in said
    assert all(line.startswith("mlflow | ") for line in said.splitlines())


def test_a_careful_user_must_get_a_stack(stack: LocalStack) -> None:
    """With umask 077, and a folder that is closed to others: it stays so."""
    stack.tool("render")
    stack.local_folder.chmod(0o700)
    run("sh", "-c", 'umask 077; exec "$0" up --no-verify', str(SCRIPT), folder=stack.folder)
    stack.expect(stack.log_run())
    assert stack.local_folder.stat().st_mode & 0o777 == 0o700


def test_plain_supervisord_must_do_without_the_tool(shared: LocalStack, stack: LocalStack) -> None:
    """After `render` alone; the other stack has installed the packages."""
    assert shared.pids()
    stack.tool("render")
    run("supervisord", folder=stack.local_folder)
    stack.wait_until_healthy(*SERVERS)
    logged = stack.log_run()
    stack.expect(logged)
    stack.tool("down")
    stack.up()
    stack.expect(logged)


def test_a_copy_of_a_stack_must_not_end_the_original(shared: LocalStack, tmp_path: Path) -> None:
    """It has the same settings, so it finds the ports taken; nothing else may happen."""
    logged, before = shared.log_run(), shared.starts()
    folder = tmp_path / "copy"
    shutil.copytree(shared.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    for command in ("up", "down", "down --volumes --yes"):
        tool(*command.split(), code=None, folder=folder)
    assert shared.starts() == before
    shared.expect(logged)
