"""What can happen to processes of a machine, and cannot to containers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from .local_stack import LocalStack
from .markers import Markers
from .running import SERVERS, WAIT_TIMEOUT, local_only
from .security import lan_address
from .small import processes_in
from .tool import SCRIPT, environment, run, tool
from .tracking import Api
from .waiting import wait_until

pytestmark = local_only("it is about processes of this machine")

SECRETS = (
    *("PG_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"),
    *("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MLFLOW_ADMIN_PASSWORD"),
)
ODD_NAME = "a path with spaces, 'quotes' and $HOME %(here)s"


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


# --- after a crash


def test_up_must_take_over_after_kill_9_of_supervisord(mended: LocalStack) -> None:
    """Servers that nobody watches any more are ended, not left beside the new ones."""
    run, orphans = mended.log_run(), set(mended.pids().values())
    kill(supervisor(mended))
    assert mended.tool("status", "--json").data["services"] == []
    mended.up()
    mended.expect(run)
    assert orphans.isdisjoint(psutil.pids())
    assert set(mended.pids().values()) <= {process.pid for process in mended.processes()}
    mended.is_well = True


def test_everything_must_come_back_after_kill_9_of_all_of_it(mended: LocalStack) -> None:
    """As when the machine lost its power."""
    run = mended.log_run()
    kill(*mended.processes())
    assert list(mended.processes()) == []
    mended.up()
    mended.expect(run)
    mended.is_well = True


def test_what_an_earlier_start_left_must_not_stop_it_or_stay_open_to_others(
    mended: LocalStack,
) -> None:
    """After a restart of the machine, numbers in a lock and a pid file may be other programs'.

    Logs and marks are closed to others whatever the umask of who starts it, and however an earlier
    version made their folders.
    """
    run = mended.log_run()
    lock = mended.local_folder / "data" / "postgres_data" / "pgdata" / "postmaster.pid"
    lines = lock.read_text(encoding="utf-8").splitlines()
    kill(*mended.processes())
    lock.write_text("\n".join([str(os.getpid()), *lines[1:], ""]), encoding="utf-8")
    pid_file(mended).write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert (mended.local_folder / "run" / "supervisor.sock").is_socket()
    folders = [mended.local_folder / name for name in ("logs", "run")]
    for folder in folders:
        folder.chmod(0o755)
    before = os.umask(0)
    try:
        mended.up()
    finally:
        os.umask(before)
    mended.expect(run)
    assert supervisor(mended).pid != os.getpid()
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    assert modes == [0o700, 0o700]
    mended.is_well = True


def test_a_server_that_cannot_start_must_fail_up_with_its_last_lines(mended: LocalStack) -> None:
    """Those of this start, and not of the one before."""
    conf = mended.local_folder / "data" / "postgres_data" / "pgdata" / "postgresql.conf"
    kept = conf.read_text(encoding="utf-8")
    mended.tool("down")
    try:
        conf.write_text(f"{kept}\nfirst_mistake = 1\n", encoding="utf-8")
        said = mended.up(code=1)
        said.shows("error: postgres keeps restarting", "first_mistake")
        said.shows("hint: mlflow-compose logs postgres")
        conf.write_text(f"{kept}\nsecond_mistake = 1\n", encoding="utf-8")
        for running in (True, False):
            if not running:
                mended.tool("down")
            said = mended.up(code=1)
            said.shows("error: postgres keeps restarting", "second_mistake")
            assert "first_mistake" not in said.text
    finally:
        conf.write_text(kept, encoding="utf-8")


# --- the session's stacks


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


def test_the_terminal_may_be_closed(shared: LocalStack) -> None:
    """Servers belong to no session that ends with whoever started them."""
    ours = os.getsid(0)
    assert all(os.getsid(process.pid) != ours for process in shared.processes())
    assert supervisor(shared).ppid() == 1


def test_the_database_must_take_no_login_without_the_password(shared: LocalStack) -> None:
    """Neither by TCP nor by a socket, of which there is none."""
    rules = (shared.local_folder / "data/postgres_data/pgdata/pg_hba.conf").read_text("utf-8")
    ways = [line.split()[-1] for line in rules.splitlines() if line and line[0] != "#"]
    assert set(ways) == {"scram-sha-256"}
    assert shared.sql("SHOW unix_socket_directories") == [""]


def test_a_copy_of_a_stack_must_not_end_the_original(shared: LocalStack, tmp_path: Path) -> None:
    """It has the same settings, so it finds the ports taken; nothing else may happen."""
    logged, before = shared.log_run(), shared.starts()
    folder = tmp_path / "copy"
    shutil.copytree(shared.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    for command in ("up", "down", "down --volumes --yes"):
        tool(*command.split(), code=None, folder=folder)
    assert shared.starts() == before
    shared.expect(logged)


def test_a_published_database_must_take_the_password_from_the_network(
    outside: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = ("psql", "-h", lan_address(), "-U", "mlflow", "-d", "mlflow", "-AtXc", "SELECT 1")
    assert outside.execute("postgres", *query).strip() == "1"
    monkeypatch.setattr(outside, "changed_password", "another")
    with pytest.raises(AssertionError, match="password authentication failed"):
        outside.execute("postgres", *query)


# --- in which folder, and started by whom


def test_a_stack_must_run_and_hide_its_secrets_in_a_folder_of_an_odd_name(
    stack_in: Callable[..., LocalStack], tmp_path: Path
) -> None:
    """A secret is where it belongs and nowhere else."""
    markers = Markers(*SECRETS)
    values = {name: markers[name] for name in SECRETS}
    stack = stack_in(tmp_path / ODD_NAME, MLFLOW_AUTH="basic", **values)
    admin = Api(stack.url, ("admin", markers["MLFLOW_ADMIN_PASSWORD"]))
    said = [stack.up().text]
    logged = stack.log_run(admin)
    lines = ("up --no-verify", "status", "logs", "config", "verify", "logs mlflow --tail 1")
    said += [stack.tool(*line.split()).text for line in lines]
    stack.expect(logged, admin)
    assert said[-1].startswith("mlflow | ")

    assert markers.found_in("\n".join(said)) == set()
    for process in stack.processes():
        assert markers.found_in(" ".join(process.cmdline())) == set()
    data, secrets = stack.local_folder / "data", stack.local_folder / "secrets"
    for file in stack.local_folder.rglob("*"):
        if file.is_file() and not file.is_relative_to(data) and not file.is_relative_to(secrets):
            assert markers.found_in(file.read_bytes().decode(errors="replace")) == set(), file
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.glob("[!.]*")} == {0o600}


def test_a_careful_user_must_get_a_stack_and_know_it_in_a_folder_of_a_long_name(
    stack_in: Callable[..., LocalStack], tmp_path: Path
) -> None:
    """With umask 077 and a folder that is closed to others, which stays so.

    A Unix socket's path must be shorter than some folders' are: it is below TMPDIR, which may be
    another one later.
    """
    stack, folders = stack_in(tmp_path / ("long/" * 30)), (tmp_path / "x", tmp_path / "y")
    first, second = (str(folder) for folder in folders)
    for folder in folders:
        folder.mkdir()
    stack.tool("render")
    stack.local_folder.chmod(0o700)
    careful = ("sh", "-c", f'umask 077; exec "$0" up --no-verify --wait-timeout={WAIT_TIMEOUT}')
    run(*careful, str(SCRIPT), folder=stack.folder, env=environment(TMPDIR=first))
    logged = stack.log_run()
    stack.tool("up", "--no-verify", TMPDIR=second)
    stack.expect(logged)
    assert stack.local_folder.stat().st_mode & 0o777 == 0o700
    said = stack.tool("status", "--json", TMPDIR=second).data["services"]
    assert {one["name"] for one in said if one["state"] == "running"} == {*SERVERS}
    assert stack.tool("logs", "mlflow", "--tail", "1").out.startswith("mlflow | ")
    stack.tool("down", TMPDIR=second)
    assert not [*stack.processes(), *processes_in(stack.folder)]


def test_plain_supervisord_must_do_without_the_tool_whose_logs_follow_it(
    shared: LocalStack, stack: LocalStack
) -> None:
    """After `render` alone; the other stack has installed the packages."""
    assert shared.pids()
    stack.tool("render")
    run("supervisord", folder=stack.local_folder)
    command = [sys.executable, "-m", "mlflow_compose", "logs", "mlflow", "--follow", "--tail", "0"]
    with subprocess.Popen(command, cwd=stack.folder, stdout=subprocess.PIPE, text=True) as follower:
        try:
            stack.wait_until_healthy(*SERVERS)
            logged = stack.log_run()
            stack.expect(logged)
        finally:
            stack.tool("down")
        said, _ = follower.communicate(timeout=30)
    # It shows new lines, and ends with the stack.
    assert "Uvicorn running on" in said
    assert all(line.startswith("mlflow | ") for line in said.splitlines())
    stack.up()
    stack.expect(logged)
