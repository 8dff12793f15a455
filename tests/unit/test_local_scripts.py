"""The scripts that start the servers of a stack without Docker."""

import csv
import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mlflow_compose.paths import templates
from mlflow_compose.settings.validators import one_line
from mlflow_compose.stack.credentials import rclone_auth_key
from tests.unit.processes import HOME, MARK, child, gone, rooted
from tests.unit.samples import IDENTITY, settings

LOCAL = templates() / "local"


def script(path: str) -> ModuleType:
    """Load a script as a module, without running it."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, LOCAL / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # No bytecode must be written next to the templates.
        patch.setattr(sys, "dont_write_bytecode", True)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rclone() -> ModuleType:
    return script("s3/start_rclone.py")


@pytest.fixture(scope="module")
def postgres() -> ModuleType:
    return script("postgres/start_postgres.py")


@pytest.fixture(scope="module")
def end_orphans() -> ModuleType:
    return script("end_orphans.py")


def rclone_line(secret: str) -> str:
    """Return the content of rclone's key file, as the stack writes it."""
    chosen = settings().model_copy(
        update={
            "minio_access_key": SecretStr("app-key"),
            "minio_secret_access_key": SecretStr(secret),
        }
    )
    return rclone_auth_key(chosen).text


@pytest.mark.parametrize(
    "secret",
    [
        "app-secret",
        "with,commas,in it",
        "with \"quotes\" and 'others'",
        '"',
        "100% $HOME ${x} %(y)s %%",
        "# not a comment ; neither",
        "a = b : c",
        "[default]",
        "\\back\\slashes\\",
        "é漢😀",
    ],
)
def test_a_key_must_be_one_csv_field_of_id_and_secret(secret: str) -> None:
    """rclone parses the file as a line of CSV, whose fields are keys."""
    line = rclone_line(secret)
    assert list(csv.reader(io.StringIO(line, newline=""))) == [[f"app-key,{secret}"]]
    assert line.startswith('"')
    assert line.endswith('"')


def allowed(secret: str) -> bool:
    try:
        one_line(secret)
    except ValueError:
        return False
    return bool(secret)


@given(st.text(max_size=30).filter(allowed))
def test_any_secret_that_settings_allow_must_reach_rclone(secret: str) -> None:
    assert next(csv.reader(io.StringIO(rclone_line(secret), newline=""))) == [f"app-key,{secret}"]


def test_an_objects_folder_that_cannot_be_created_must_be_reported(
    rclone: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "objects").touch()
    with pytest.raises(SystemExit, match=r"the folder .*/objects cannot be created: File exists"):
        rclone.main({"S3_FOLDER": str(tmp_path / "objects")})


@pytest.mark.parametrize(
    "text",
    ["", "\n", "garbage\n", "-1\n/data\n", "99999999999999999999\n", "\0\n", "1.5\n", "4x\n"],
)
def test_a_lock_without_a_process_id_must_be_removed(
    postgres: ModuleType, tmp_path: Path, text: str
) -> None:
    """A full disk or a power failure leaves such files."""
    lock = tmp_path / "postmaster.pid"
    lock.write_text(text, encoding="utf-8")
    assert postgres.drop_stale_lock(lock)
    assert not lock.exists()


def test_a_lock_that_is_not_text_must_be_removed(postgres: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    lock.write_bytes(b"\xff\xfe\n")
    assert postgres.drop_stale_lock(lock)
    assert not lock.exists()


def test_a_missing_lock_must_not_be_an_error(postgres: ModuleType, tmp_path: Path) -> None:
    assert not postgres.drop_stale_lock(tmp_path / "postmaster.pid")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("whose", ["a process that ended", "another program"])
def test_the_lock_of_a_server_that_no_longer_runs_must_be_removed(
    postgres: ModuleType, tmp_path: Path, whose: str
) -> None:
    pid = gone() if whose == "a process that ended" else os.getpid()
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{pid}\n/data\n1763700000\n5432\n", encoding="utf-8")
    assert postgres.drop_stale_lock(lock)
    assert not lock.exists()


@pytest.fixture
def running_server(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a process with the name of the database server."""
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncd {tmp_path}\necho here\nread -r line\n", encoding="utf-8")
    program.chmod(0o755)
    with child(str(program)) as process:
        if psutil.Process(process.pid).name() != "postgres":
            pytest.skip("on this system, the name of a script is that of its interpreter")
        yield process


def test_the_lock_of_a_running_server_must_stay(
    postgres: ModuleType, tmp_path: Path, running_server: "subprocess.Popen[str]"
) -> None:
    """Two servers would corrupt the same files."""
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{running_server.pid}\n/data\n", encoding="utf-8")
    assert not postgres.drop_stale_lock(lock)
    assert lock.read_text(encoding="utf-8").startswith(f"{running_server.pid}\n")


def test_a_lock_with_the_process_id_of_another_stacks_server_must_be_removed(
    postgres: ModuleType, tmp_path: Path, running_server: "subprocess.Popen[str]"
) -> None:
    """This happens after a reboot, when both stacks start again."""
    lock = tmp_path / "other" / "postmaster.pid"
    lock.parent.mkdir()
    lock.write_text(f"{running_server.pid}\n/data\n", encoding="utf-8")
    assert postgres.drop_stale_lock(lock)
    assert not lock.exists()


def test_the_lock_of_a_single_user_session_must_stay(
    postgres: ModuleType, tmp_path: Path, running_server: "subprocess.Popen[str]"
) -> None:
    """As of `postgres --single`, with which a user repairs the database."""
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"-{running_server.pid}\n/data\n", encoding="utf-8")
    assert not postgres.drop_stale_lock(lock)
    assert lock.exists()


def test_a_start_must_wait_for_the_processes_of_a_killed_server(
    postgres: ModuleType,
    tmp_path: Path,
    running_server: "subprocess.Popen[str]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL does not start while they use its memory."""
    waited = []

    def end_at_the_third(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            running_server.communicate("\n")

    monkeypatch.setattr(postgres.time, "sleep", end_at_the_third)
    postgres.wait_for_children(tmp_path / "other")
    assert waited == []
    postgres.wait_for_children(tmp_path)
    assert len(waited) == 3


def test_a_start_must_not_wait_forever_for_another_process(
    postgres: ModuleType,
    tmp_path: Path,
    running_server: "subprocess.Popen[str]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL then says what is wrong; nothing is killed."""
    monkeypatch.setattr(postgres, "PATIENCE", 0.1)
    postgres.wait_for_children(tmp_path)
    assert running_server.poll() is None


def test_a_partial_database_must_not_be_kept_if_its_creation_fails(
    postgres: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log contains the output of the program that failed, not a traceback."""
    initdb = tmp_path / "bin" / "initdb"
    initdb.parent.mkdir()
    initdb.write_text('#!/bin/sh\nmkdir -p "$2"; touch "$2/half"; exit 3\n', encoding="utf-8")
    initdb.chmod(0o755)
    monkeypatch.setenv("PATH", str(initdb.parent), prepend=os.pathsep)
    data = tmp_path / "data" / "pgdata"
    with pytest.raises(SystemExit, match="initdb failed with exit code 3"):
        postgres.make_database(data, "u", "d", "password")
    assert not data.exists()
    initdb.write_text('#!/bin/sh\n[ -e "$2" ] && exit 4\nmkdir -p "$2"\ncat > "$2/password"\n')
    postgres.make_database(data, "u", "postgres", "password")
    assert (data / "password").read_text(encoding="utf-8") == "password"
    assert [path.name for path in data.parent.iterdir()] == ["pgdata"]


def test_the_data_folder_of_roots_database_must_be_created_where_its_user_can_reach_it(
    postgres: ModuleType, tmp_path: Path
) -> None:
    folder, state = tmp_path / "local/data/postgres_data", tmp_path / "state"
    folder.parent.parent.mkdir()
    before = os.umask(0o077)
    try:
        postgres.make_folder(folder, IDENTITY, state)
    finally:
        os.umask(before)
    (place,) = state.iterdir()
    assert folder.resolve() == place / "postgres_data"
    assert (folder / ".mlflow-compose").read_text(encoding="ascii") == f"{IDENTITY}\n"
    modes = [path.stat().st_mode & 0o777 for path in (state, place, folder, folder.parent)]
    assert modes == [0o711, 0o711, 0o700, 0o700]
    postgres.make_folder(folder, IDENTITY, state)
    assert list(state.iterdir()) == [place]


def test_data_that_is_not_mounted_must_not_be_replaced_by_an_empty_folder(
    postgres: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "postgres_data"
    folder.symlink_to(tmp_path / "away")
    postgres.make_folder(folder, IDENTITY, tmp_path / "state")
    assert not folder.exists()
    assert not (tmp_path / "state").exists()


def test_a_missing_user_must_be_reported(postgres: ModuleType) -> None:
    with pytest.raises(
        SystemExit, match=r"user no-such-user .* not exist: mlflow-compose up creates it"
    ):
        postgres.find_user("no-such-user")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of programs: an initdb, and a postgres that records its input."""
    folder = tmp_path / "bin"
    folder.mkdir()
    has_program(folder, "initdb", 'mkdir -p "$2"; echo "$4" >"$2/user"; cat >"$2/password"')
    has_program(folder, "postgres", f'echo "$*" >{tmp_path}/options; cat >{tmp_path}/statements')
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def has_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("names", "created_user", "statements"),
    [
        (("u", "d"), "u", ['CREATE DATABASE "d"']),
        (("u", "postgres"), "u", []),
        (("u", "my\"db'$\\"), "u", ['CREATE DATABASE "my""db\'$\\"']),
        (
            ("o'br\"ien", "d"),
            "mlflow",
            [
                "UPDATE pg_authid SET rolname = 'o''br\"ien' WHERE rolname = 'mlflow'",
                'CREATE DATABASE "d"',
            ],
        ),
    ],
)
def test_names_must_be_quoted_for_sql(
    postgres: ModuleType,
    tmp_path: Path,
    names: tuple[str, str],
    created_user: str,
    statements: list[str],
) -> None:
    data = tmp_path / "data" / "pgdata"
    postgres.make_database(data, *names, "password")
    assert (data / "user").read_text(encoding="utf-8") == f"{created_user}\n"
    recorded = tmp_path / "statements"
    expected = "".join(f"{statement};\n\n" for statement in statements)
    assert (recorded.read_text(encoding="utf-8") if statements else "") == expected
    assert recorded.exists() == bool(statements)


def test_a_cluster_without_its_database_must_not_be_kept(
    postgres: ModuleType, tmp_path: Path, programs: Path
) -> None:
    """The next start creates it again, instead of always serving one without the database."""
    has_program(programs, "postgres", 'case "$*" in *exit_on_error=on*) exit 1 ;; esac')
    data = tmp_path / "data" / "pgdata"
    with pytest.raises(SystemExit, match="postgres failed with exit code 1"):
        postgres.make_database(data, "u", "d", "password")
    assert list(data.parent.iterdir()) == []


def test_the_output_of_a_failing_initdb_must_not_contain_the_password(
    postgres: ModuleType, tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """initdb prints the statement that failed, with the password quoted for SQL."""
    statement = "STATEMENT:  ALTER USER u WITH PASSWORD E'it''s\\\\here'; it's\\here"
    (tmp_path / "output").write_text(statement, encoding="utf-8")
    has_program(programs, "initdb", f'cat "{tmp_path}/output"; exit 1')
    with pytest.raises(SystemExit, match="initdb failed with exit code 1"):
        postgres.make_database(tmp_path / "data" / "pgdata", "u", "d", "it's\\here")
    assert capsys.readouterr().out == (
        "STATEMENT:  ALTER USER u WITH PASSWORD E'********'; ********"
    )


@pytest.mark.parametrize(
    ("service", "found"),
    [("s3", True), ("mlflow", False), ("s", False), ("s3/more", False), ("", False)],
)
def test_a_process_must_only_belong_to_its_service_and_stack(
    end_orphans: ModuleType, tmp_path: Path, service: str, *, found: bool
) -> None:
    folder = str(tmp_path / "it's a stack")
    with child(environ={MARK: f"{IDENTITY}/s3", HOME: folder}) as process:
        other = psutil.Process(process.pid)
        assert end_orphans.belongs(other, f"{IDENTITY}/{service}", folder) is found
        assert not end_orphans.belongs(other, f"{'f' * 16}/{service}", folder)


def test_a_process_of_the_original_of_a_copied_stack_must_be_left_alone(
    end_orphans: ModuleType, tmp_path: Path
) -> None:
    """The copy has the same id until it is rendered; if the original is gone, it was moved."""
    mark, original = f"{IDENTITY}/s3", tmp_path / "original"
    original.mkdir()
    with child(environ={MARK: mark, HOME: str(original)}) as process:
        other = psutil.Process(process.pid)
        assert not end_orphans.belongs(other, mark, str(tmp_path / "copy"))
        original.rmdir()
        assert end_orphans.belongs(other, mark, str(tmp_path / "copy"))


def test_a_process_in_a_container_must_be_left_alone(
    end_orphans: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, ours, theirs = f"{IDENTITY}/s3", tmp_path / "ours", tmp_path / "theirs"
    monkeypatch.setattr(end_orphans, "PROC", tmp_path / "proc")
    with child(environ={MARK: mark, HOME: str(tmp_path)}) as process:
        other = psutil.Process(process.pid)
        assert end_orphans.belongs(other, mark, str(tmp_path))
        for root, belongs in ((theirs, False), (ours, True)):
            rooted(tmp_path / "proc", self=ours, **{f"pid{process.pid}": root})
            assert end_orphans.belongs(other, mark, str(tmp_path)) is belongs


def test_an_unmarked_process_must_not_belong_to_the_stack(
    end_orphans: ModuleType, tmp_path: Path
) -> None:
    with child() as process:
        assert not end_orphans.belongs(psutil.Process(process.pid), IDENTITY, str(tmp_path))


def test_a_process_that_has_ended_must_not_belong_to_the_stack(
    end_orphans: ModuleType, tmp_path: Path
) -> None:
    with child(environ={MARK: IDENTITY}) as process:
        found = psutil.Process(process.pid)
        process.kill()
        process.wait()
    assert not end_orphans.belongs(found, IDENTITY, str(tmp_path))


def end_leftovers(mark: str, folder: Path) -> str:
    """Run the script as a service does: its own process has the same marks."""
    done = subprocess.run(
        [sys.executable, str(LOCAL / "end_orphans.py")],
        env={**os.environ, MARK: mark, HOME: str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_only_processes_left_over_from_an_earlier_run_must_be_killed(tmp_path: Path) -> None:
    mark, home = f"{IDENTITY}/s3", {HOME: str(tmp_path)}
    with (
        child(environ={MARK: mark, **home}) as old,
        child(environ={MARK: f"{mark}-other", **home}) as other,
        child(environ={MARK: f"{IDENTITY}/mlflow", **home}) as neighbour,
    ):
        assert end_leftovers(mark, tmp_path) == (
            f"killing process {old.pid}, left over from an earlier run\n"
        )
        assert old.wait(timeout=10) == -9
        assert (other.poll(), neighbour.poll()) == (None, None)


def test_nothing_must_be_printed_if_no_process_is_left_over(tmp_path: Path) -> None:
    assert end_leftovers(f"{IDENTITY}/s3", tmp_path) == ""


def test_a_process_that_ends_during_the_search_must_not_be_an_error(
    end_orphans: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of a server exit when they notice that it has ended."""
    environ = {MARK: f"{IDENTITY}/s3", HOME: str(tmp_path)}
    with child(environ=environ) as old, child(environ=environ) as older:

        def looked_at() -> Iterator[psutil.Process]:
            yield psutil.Process(old.pid)
            old.kill()
            old.wait()
            yield psutil.Process(older.pid)

        monkeypatch.setattr(psutil, "process_iter", looked_at)
        assert end_orphans.main(environ) == 0
        assert older.wait(timeout=10) == -9


def test_a_killed_process_must_count_as_gone_even_as_a_zombie(tmp_path: Path) -> None:
    """In a container without an init process, it stays one; it holds no port and no file."""
    environ = {**os.environ, MARK: f"{IDENTITY}/s3", HOME: str(tmp_path)}
    code = (
        "import end_orphans, os, sys; end_orphans.PATIENCE = 1; "
        "sys.exit(end_orphans.main(os.environ))"
    )
    with subprocess.Popen(["sleep", "60"], env=environ) as old:
        done = subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=LOCAL, env=environ, check=False
        )
        assert psutil.Process(old.pid).status() == psutil.STATUS_ZOMBIE
    assert done.returncode == 0
