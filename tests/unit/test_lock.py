"""One command at a time: real lock files, held by real processes."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import psutil
import pytest

from mlflow_compose.cli.context import Context
from mlflow_compose.errors import BusyError, FilesError, UsageError
from mlflow_compose.lock import LOCK, NOTE, Holder, hold, holder
from mlflow_compose.paths import StackPaths, stack_paths
from tests.unit.conftest import User
from tests.unit.processes import child, gone

# Holds the lock of the stack with the given env file, and has a child that outlives it.
HOLDER = """
import subprocess, sys
from pathlib import Path
from mlflow_compose.lock import hold
from mlflow_compose.paths import stack_paths
with hold(stack_paths(Path(sys.argv[1])), "migrate-store"):
    own = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    (tmp_path / ".env").touch()
    return stack_paths(tmp_path / ".env")


@contextmanager
def hold_lock(paths: StackPaths) -> Iterator["Popen[str]"]:
    with child(sys.executable, "-c", HOLDER, str(paths.env_file)) as process:
        own = psutil.Process(process.pid).children()
        try:
            yield process
        finally:
            for one in own:
                one.kill()


def test_the_second_command_must_report_the_command_time_and_pid_of_the_first(
    paths: StackPaths,
) -> None:
    with hold_lock(paths) as process, pytest.raises(BusyError) as caught, hold(paths, "up"):
        pytest.fail("two commands at once")
    now = datetime.now(UTC).astimezone()
    times = {f"{moment:%H:%M}" for moment in (now, now - timedelta(minutes=1))}
    output = caught.value.message
    assert output in {
        f"migrate-store has been working on this stack since {time} (pid {process.pid})"
        for time in times
    }
    assert "mlflow-compose status" in str(caught.value.hint)


def test_all_env_files_of_a_folder_must_share_the_lock(paths: StackPaths) -> None:
    other = stack_paths(paths.root / "other.env")
    with hold(paths, "up"), pytest.raises(BusyError), hold(other, "down"):
        pytest.fail("two commands at once")


def test_a_killed_holder_must_not_block_others_even_while_its_children_live(
    paths: StackPaths,
) -> None:
    with hold_lock(paths) as process:
        (own,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        assert own.is_running()
        assert (paths.state / NOTE).exists()
        assert holder(paths) is None
        with hold(paths, "up"):
            assert holder(paths)


def test_a_finished_command_must_release_the_lock(paths: StackPaths) -> None:
    for _ in range(2):
        with hold(paths, "up"):
            found = holder(paths)
            assert found
            assert (found.command, found.pid) == ("up", os.getpid())
        assert holder(paths) is None
    assert stat.S_IMODE(paths.state.stat().st_mode) == 0o700


def test_reading_the_lock_must_not_block_a_command(paths: StackPaths) -> None:
    """A reader that briefly took the lock would make a command fail."""
    before = datetime.now(UTC)
    assert holder(paths) is None
    assert not paths.state.exists()
    with hold_lock(paths) as process:
        found = holder(paths)
    assert found
    assert (found.command, found.pid) == ("migrate-store", process.pid)
    assert before <= found.since


def note(pid: int, since: datetime) -> str:
    return json.dumps({"command": "up", "pid": pid, "since": since.isoformat()})


NOW = datetime.now(UTC)
NOTES = {
    "empty": "",
    "half-written": note(os.getpid(), NOW)[:-8],
    "another's": "[]",
    "without a process": '{"command": "up", "since": "2026-11-21T14:02:00+00:00"}',
    "an odd process": note(-1, NOW),
    "a number that is none": '{"command": "up", "pid": "1", "since": "2026-11-21T14:02:00+00:00"}',
    "no time": '{"command": "up", "pid": 1, "since": "noon"}',
    "no time zone": '{"command": "up", "pid": 1, "since": "2026-11-21T14:02:00"}',
    "not text": "\udcff",
    "of one that ended": note(gone(), NOW),
    "of a number that is another's now": note(os.getpid(), NOW - timedelta(days=365)),
}


@pytest.mark.parametrize("kind", NOTES)
def test_an_invalid_note_must_not_name_a_holder(kind: str, paths: StackPaths) -> None:
    paths.state.mkdir()
    (paths.state / NOTE).write_bytes(NOTES[kind].encode(errors="surrogateescape"))
    assert holder(paths) is None
    with hold(paths, "up"):
        assert holder(paths)


def test_a_lock_with_an_unknown_holder_must_still_block(paths: StackPaths) -> None:
    with hold_lock(paths):
        (paths.state / NOTE).unlink()
        with pytest.raises(BusyError, match="another command is working on this stack"):
            hold(paths, "up").__enter__()


def test_a_command_of_another_day_must_be_reported_with_its_date() -> None:
    since = datetime(2026, 11, 20, 14, 2, tzinfo=UTC)
    assert f"since {since.astimezone():%Y-%m-%d %H:%M} (pid 7)" in Holder("up", since, 7).text


def test_a_lock_that_cannot_be_created_must_be_reported(paths: StackPaths) -> None:
    paths.state.mkdir()
    (paths.state / LOCK).mkdir()
    with pytest.raises(
        FilesError, match="lock of the stack, cannot be acquired: Is a directory"
    ) as caught:
        hold(paths, "up").__enter__()
    assert caught.value.hint


def test_an_unwritable_folder_must_be_reported(user: User) -> None:
    """The folder is unwritable even for root, who ignores modes."""
    user.has_env()
    (user.folder / ".mlflow-compose").touch()
    output = user.types("render")
    assert output.code == 1
    assert output.err.startswith(f"error: {user.folder / '.mlflow-compose'} cannot be written: ")


@pytest.mark.parametrize("name", [".gitignore", NOTE])
@pytest.mark.parametrize("content", [None, "years of work"])
def test_a_planted_link_must_be_replaced_and_not_followed(
    name: str, content: str | None, tmp_path: Path, paths: StackPaths
) -> None:
    """As in a folder that was packed by a stranger."""
    target = tmp_path / "thesis.tex"
    if content is not None:
        target.write_text(content, encoding="utf-8")
    paths.state.mkdir()
    (paths.state / name).symlink_to(target)
    with hold(paths, "up"):
        assert not (paths.state / name).is_symlink()
        assert holder(paths)
        assert (paths.state / ".gitignore").read_text(encoding="ascii") == "*\n"
    assert (target.read_text(encoding="utf-8") if target.exists() else None) == content


# --- commands and the lock


def test_two_renders_must_not_run_at_once(user: User) -> None:
    user.has_env()
    with hold(stack_paths(user.env_file), "migrate-store"):
        output = user.types("render")
    assert output.code == 1
    assert "error: migrate-store has been working on this stack since" in output.err
    assert not (user.folder / "compose").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("up",),
        ("down",),
        ("down", "--volumes", "--yes"),
        ("migrate-store", "--to", "postgres=postgres"),
        ("migrate-store", "--prune", "--yes"),
        ("import", "mlruns"),
        ("render", "--target", "local"),
        ("render", "--output", "local"),
    ],
)
def test_commands_that_change_the_stack_must_refuse_to_run_while_another_does(
    command: tuple[str, ...], user: User
) -> None:
    user.has_env("STACK_ENGINE=local", "BACKEND_STORE=sqlite")
    (user.folder / "mlruns" / "0").mkdir(parents=True)
    (user.folder / "mlruns" / "0" / "meta.yaml").touch()
    with hold(stack_paths(user.env_file), "import"):
        output = user.types(*command, "--json")
    (error,) = json.loads(output.out)["errors"]
    assert (output.code, error["code"]) == (1, "busy")
    assert error["message"].startswith("import has been working on this stack since")


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("logs",),
        ("config",),
        ("render", "--check"),
        ("render", "--diff"),
        ("render", "--output", "elsewhere"),
        ("verify",),
    ],
)
def test_commands_that_only_read_must_never_wait(command: tuple[str, ...], user: User) -> None:
    user.has_env("STACK_ENGINE=local")
    user.types("render")
    with hold(stack_paths(user.env_file), "up"):
        output = user.types(*command)
    assert "working on this stack since" not in output.err


def test_a_folder_without_a_stack_must_stay_unchanged(user: User) -> None:
    assert user.types("up").code == 2
    assert not (user.folder / ".mlflow-compose").exists()


def test_data_that_changed_during_the_question_must_not_be_deleted() -> None:
    """The lock is not held while the user decides."""
    Context.check_unchanged("Delete minio_data?", "Delete minio_data?")
    with pytest.raises(UsageError, match="the stack changed before you confirmed"):
        Context.check_unchanged("Delete minio_data?", "Delete mlflow_data?")
