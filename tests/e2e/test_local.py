"""Failures and threats that concern processes of a machine but not containers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import ColdStart, _stacks
from .local_stack import LocalStack
from .markers import Markers
from .running import SERVERS, WAIT_TIMEOUT, RunningStack, left_to_soak, local_only
from .security import lan_address
from .small import processes_in
from .test_lifecycle import expect_separate
from .tool import SCRIPT, environment, run, tool
from .tracking import Api
from .waiting import wait_until

pytestmark = local_only("it is about processes of this machine")

SECRETS = (
    *("PG_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"),
    *("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MLFLOW_ADMIN_PASSWORD"),
)
# So short that supervisord's socket fits in there.
ODD_NAME = "a, 'b' $HOME %(here)s"


def kill(*processes: psutil.Process) -> None:
    """Send SIGKILL to processes and wait until they are gone.

    They are stopped first: one of them might restart another in the meantime.
    """
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            process.send_signal(number)
    psutil.wait_procs(processes, timeout=10)


def supervisor(stack: LocalStack) -> psutil.Process:
    """Return the supervisord of a stack."""
    return psutil.Process(int(pid_file(stack).read_text(encoding="utf-8")))


def pid_file(stack: LocalStack) -> Path:
    return stack.local_folder / "run" / "supervisord.pid"


@pytest.fixture(scope="module")
def markers() -> Markers:
    """Return the secrets of the stack that these tests break."""
    return Markers(*SECRETS)


@pytest.fixture(scope="module")
def started(
    engine: str, markers: Markers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ColdStart]:
    """Return a stack in a folder with an odd name, with login, and the output of its start."""
    for make in _stacks(engine, lambda: tmp_path_factory.mktemp(ODD_NAME), is_shared=True):
        stack = make(MLFLOW_AUTH="basic", **markers.texts)
        output = stack.up()
        stack.is_well = True
        yield ColdStart(stack, output)


@pytest.fixture(scope="module")
def _reused(started: ColdStart) -> RunningStack:
    return started.stack


@pytest.fixture(scope="module")
def admin(started: ColdStart, markers: Markers) -> Api:
    """Return the API of that stack with the admin's login."""
    return Api(started.stack.url, ("admin", markers["MLFLOW_ADMIN_PASSWORD"]))


# --- after a crash


def supervisors(stack: LocalStack) -> list[int]:
    """Return the pids of all supervisords of a stack."""
    lines = {process.pid: " ".join(process.cmdline()) for process in stack.processes()}
    return [pid for pid, line in lines.items() if "supervisord" in line]


def test_supervisord_must_come_back_after_kill_9(mended: LocalStack, admin: Api) -> None:
    """Without a command; orphaned servers are killed, not left running next to the new ones."""
    run, orphans, killed = mended.log_run(admin), mended.pids(), supervisor(mended)
    kill(killed)
    # Until then, the orphans answer.
    wait_until(
        lambda: {*orphans.values()}.isdisjoint(psutil.pids()),
        seconds=60,
        what="the orphans are killed",
    )
    mended.wait_until_healthy(seconds=90)
    mended.expect(run, admin)
    assert supervisor(mended).pid != killed.pid
    assert {*mended.pids().values()} <= {process.pid for process in mended.processes()}
    assert supervisors(mended) == [supervisor(mended).pid]
    mended.is_well = True


def test_the_guard_must_come_back_and_must_not_outlive_down(mended: LocalStack) -> None:
    """`up` after a killed supervisord does not compete with the guard, which does the same."""
    guard = mended.guard()
    kill(psutil.Process(guard))
    wait_until(
        lambda: mended.guard() not in {0, guard},
        seconds=30,
        what="supervisord restarts the guard",
    )
    kill(supervisor(mended))
    mended.up()
    assert supervisors(mended) == [supervisor(mended).pid]
    assert mended.guard()
    kill(supervisor(mended))
    mended.tool("down")
    assert list(mended.processes()) == []
    mended.up()
    mended.is_well = True


@left_to_soak("test_faults.py kills all servers")
def test_the_stack_must_recover_after_kill_9_of_all_processes(
    mended: LocalStack, admin: Api
) -> None:
    """As after a power failure."""
    run = mended.log_run(admin)
    kill(*mended.processes())
    assert list(mended.processes()) == []
    mended.up()
    mended.expect(run, admin)
    mended.is_well = True


@left_to_soak("test_faults.py kills all servers")
def test_stale_files_must_not_block_a_start_or_stay_readable_by_others(
    mended: LocalStack, admin: Api
) -> None:
    """After a reboot, the pids in a lock file and a pid file may belong to other programs.

    Logs and pid files are closed to others whatever the user's umask, and whatever mode an earlier
    version gave their folders.
    """
    run = mended.log_run(admin)
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
    mended.expect(run, admin)
    assert supervisor(mended).pid != os.getpid()
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    assert modes == [0o700, 0o700]
    mended.is_well = True


def test_a_stack_must_run_and_hide_its_secrets_in_a_folder_with_an_odd_name(
    started: ColdStart, mended: LocalStack, admin: Api, markers: Markers
) -> None:
    """A secret is in its secret file and nowhere else, also after the crashes above."""
    output = [started.output.text]
    logged = mended.log_run(admin)
    lines = ("up --no-verify", "status", "logs", "config", "verify", "logs mlflow --tail 1")
    output += [mended.tool(*line.split()).text for line in lines]
    mended.expect(logged, admin)
    assert output[-1].startswith("mlflow | ")

    assert markers.found_in("\n".join(output)) == set()
    for process in mended.processes():
        assert markers.found_in(" ".join(process.cmdline())) == set()
    data, secrets = mended.local_folder / "data", mended.local_folder / "secrets"
    for file in mended.local_folder.rglob("*"):
        if file.is_file() and not file.is_relative_to(data) and not file.is_relative_to(secrets):
            assert markers.found_in(file.read_bytes().decode(errors="replace")) == set(), file
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.glob("[!.]*")} == {0o600}
    mended.is_well = True


@left_to_soak("test_failing_up.py has such servers")
def test_a_server_that_cannot_start_must_make_up_fail_with_its_last_lines(
    mended: LocalStack,
) -> None:
    """The lines are those of this start, not of the previous one."""
    conf = mended.local_folder / "data" / "postgres_data" / "pgdata" / "postgresql.conf"
    original = conf.read_text(encoding="utf-8")
    mended.tool("down")
    try:
        conf.write_text(f"{original}\nfirst_mistake = 1\n", encoding="utf-8")
        output = mended.up(code=1)
        output.shows("error: postgres keeps restarting", "first_mistake")
        output.shows("hint: mlflow-compose logs postgres")
        conf.write_text(f"{original}\nsecond_mistake = 1\n", encoding="utf-8")
        for running in (True, False):
            if not running:
                mended.tool("down")
            output = mended.up(code=1)
            output.shows("error: postgres keeps restarting", "second_mistake")
            assert "first_mistake" not in output.text
    finally:
        conf.write_text(original, encoding="utf-8")


# --- the session's stacks


def test_workers_of_a_killed_mlflow_must_not_keep_its_port(shared: LocalStack) -> None:
    """Its child processes would keep listening."""
    parent = psutil.Process(shared.pids()["mlflow"])
    children = parent.children(recursive=True)
    assert children
    before = shared.starts()
    kill(parent)
    wait_until(
        lambda: shared.starts().get("mlflow", before["mlflow"]) != before["mlflow"],
        seconds=30,
        what="mlflow is restarted",
    )
    shared.wait_until_healthy(seconds=60)
    assert not any(child.is_running() for child in children)


def test_the_stack_must_survive_a_closed_terminal(shared: LocalStack) -> None:
    """Servers do not belong to the login session that started them."""
    ours = os.getsid(0)
    assert all(os.getsid(process.pid) != ours for process in shared.processes())
    assert supervisor(shared).ppid() == 1


def test_the_database_must_accept_no_login_without_the_password(shared: LocalStack) -> None:
    """TCP requires a password, and there is no Unix socket."""
    rules = (shared.local_folder / "data/postgres_data/pgdata/pg_hba.conf").read_text("utf-8")
    methods = [line.split()[-1] for line in rules.splitlines() if line and line[0] != "#"]
    assert set(methods) == {"scram-sha-256"}
    assert shared.sql("SHOW unix_socket_directories") == [""]


def test_a_copy_of_a_stack_must_not_stop_the_original(shared: LocalStack, tmp_path: Path) -> None:
    """The copy has the same settings, so it must only fail because the ports are taken."""
    logged, before = shared.log_run(), shared.starts()
    folder = tmp_path / "copy"
    shutil.copytree(shared.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    for command in ("up", "down", "down --volumes --yes"):
        tool(*command.split(), code=None, folder=folder)
    assert shared.starts() == before
    shared.expect(logged)


def test_a_published_database_must_require_the_password_from_the_network(
    outside: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = ("psql", "-h", lan_address(), "-U", "mlflow", "-d", "mlflow", "-AtXc", "SELECT 1")
    assert outside.execute("postgres", *query).strip() == "1"
    monkeypatch.setattr(outside, "changed_password", "another")
    with pytest.raises(AssertionError, match="password authentication failed"):
        outside.execute("postgres", *query)


# --- unusual folders and users


@left_to_soak("another stack runs in a folder with an odd name")
def test_a_stack_must_run_with_a_strict_umask_in_a_folder_with_a_long_path(
    stack_in: Callable[..., LocalStack], tmp_path: Path
) -> None:
    """With umask 077 and a folder that is closed to others, and stays so.

    A Unix socket's path must be shorter than some folders' paths, so it is below TMPDIR, which may
    change later.
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
    output = stack.tool("status", "--json", TMPDIR=second).data["services"]
    assert {one["name"] for one in output if one["state"] == "running"} == {*SERVERS}
    assert stack.tool("logs", "mlflow", "--tail", "1").out.startswith("mlflow | ")
    stack.tool("down", TMPDIR=second)
    assert not [*stack.processes(), *processes_in(stack.folder)]


def test_plain_supervisord_must_run_the_stack_and_logs_must_follow_it(
    shared: LocalStack, stack: LocalStack
) -> None:
    """After `render` alone; `shared` has installed the packages, and sees none of its runs."""
    stack.tool("render")
    run("supervisord", folder=stack.local_folder)
    command = [sys.executable, "-m", "mlflow_compose", "logs", "mlflow", "--follow", "--tail", "0"]
    with subprocess.Popen(command, cwd=stack.folder, stdout=subprocess.PIPE, text=True) as follower:
        try:
            stack.wait_until_healthy(*SERVERS)
            logged = stack.log_run()
            stack.expect(logged)
            expect_separate(shared, stack)
        finally:
            stack.tool("down")
        output, _ = follower.communicate(timeout=30)
    # `logs --follow` shows new lines and exits when the stack stops.
    assert "Uvicorn running on" in output
    assert all(line.startswith("mlflow | ") for line in output.splitlines())
    stack.up()
    stack.expect(logged)
