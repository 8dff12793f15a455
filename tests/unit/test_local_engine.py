"""The local engine: logs, states and processes of its servers, and the choice of engine."""

import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path

import psutil
import pytest
from supervisor.states import ProcessStates

from mlflow_compose import machine
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.choice import Choice, choose
from mlflow_compose.engines.local import availability, log, orphans, processes, state
from mlflow_compose.engines.local.log import read
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.starts import Starts
from mlflow_compose.engines.local.state import HealthChecks, health, service_status
from mlflow_compose.engines.local.supervisor import Process, is_running
from mlflow_compose.engines.local.watch import watch
from mlflow_compose.engines.verdict import Verdict
from mlflow_compose.errors import EngineError
from mlflow_compose.identity import Identity, keep_identity
from mlflow_compose.paths import StackPaths
from mlflow_compose.render import render
from mlflow_compose.stack import Healthcheck, Service
from tests.unit import samples
from tests.unit.fakes import ALL_WELL, FakeScreen
from tests.unit.processes import HOME, MARK, child, gone, rooted
from tests.unit.samples import local_stack

# Different in each pytest worker, since workers see each other's processes.
IDENTITY = f"{os.getpid():016x}"
ID = Identity(IDENTITY)
# Above any user's uid.
NOBODY = 4194999
ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture(autouse=True)
def _never_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "POLL_EVERY", 0)
    monkeypatch.setattr("mlflow_compose.engines.local.watch.POLL_EVERY", 0)


def write(folder: Path, service: str, *lines: str) -> Path:
    """Add lines to a log, as supervisord does."""
    path = folder / f"{service}.log"
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    return path


@pytest.mark.parametrize(
    ("tail", "lines"),
    [
        (None, ["one", "two", "three"]),
        (0, []),
        (1, ["three"]),
        (2, ["two", "three"]),
        (3, ["one", "two", "three"]),
        (9, ["one", "two", "three"]),
    ],
)
def test_the_requested_number_of_lines_must_be_shown(
    tmp_path: Path, tail: int | None, lines: list[str]
) -> None:
    write(tmp_path, "s3", "one", "two", "three")
    assert list(read(tmp_path, ["s3"], tail=tail)) == [f"s3 | {line}" for line in lines]


def test_the_lines_of_several_services_must_be_labeled(tmp_path: Path) -> None:
    write(tmp_path, "s3", "one", "two")
    write(tmp_path, "mlflow", "three")
    assert list(read(tmp_path, ["s3", "mlflow"], tail=1)) == ["s3     | two", "mlflow | three"]


def test_a_service_that_never_ran_must_have_no_log(tmp_path: Path) -> None:
    write(tmp_path, "s3", "one")
    assert list(read(tmp_path / "nowhere", ["s3"], tail=None)) == []
    assert list(read(tmp_path, ["mlflow", "s3"], tail=5)) == ["s3     | one"]


def test_invalid_text_must_still_be_shown(tmp_path: Path) -> None:
    (tmp_path / "s3.log").write_bytes(b"caf\xe9\n\n\xf0\x9f\x98\x80\n")
    assert list(read(tmp_path, ["s3"], tail=None)) == ["s3 | caf\ufffd", "s3 | ", "s3 | 😀"]


def follow(folder: Path, looks: Sequence[Sequence[str]], tail: int | None = None) -> list[str]:
    """Follow the log of s3, to which each look adds these lines."""
    more = iter(looks)
    remaining = len(looks)

    def keep_following() -> bool:
        nonlocal remaining
        remaining -= 1
        write(folder, "s3", *next(more))
        return remaining > 0

    return list(read(folder, ["s3"], tail=tail, follow=keep_following))


def test_new_lines_must_be_shown_until_the_stack_ends(tmp_path: Path) -> None:
    """Including the last lines, which servers write while they are stopped."""
    write(tmp_path, "s3", "zero", "one")
    looks = [[], ["two"], [], ["three", "four"], ["bye"]]
    lines = ["one", "two", "three", "four", "bye"]
    assert follow(tmp_path, looks, tail=1) == [f"s3 | {line}" for line in lines]


def test_a_log_that_is_created_later_must_be_shown_from_its_beginning(tmp_path: Path) -> None:
    assert follow(tmp_path, [[], ["one"]], tail=0) == ["s3 | one"]


def test_a_partial_line_must_be_shown_once_it_is_complete(tmp_path: Path) -> None:
    path = write(tmp_path, "s3", "one")
    parts = iter(["tw", "o\nth", "re", "e\n"])

    def keep_following() -> bool:
        part = next(parts, None)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(part or "")
        return part is not None

    found = list(read(tmp_path, ["s3"], tail=None, follow=keep_following))
    assert found == ["s3 | one", "s3 | two", "s3 | three"]


@pytest.mark.parametrize("way", ["renamed", "cut"])
def test_a_rotated_log_must_be_followed_from_its_new_beginning(tmp_path: Path, way: str) -> None:
    path = write(tmp_path, "s3", "one, which is longer than what comes later")
    looks = iter([True, False])

    def keep_following() -> bool:
        if more := next(looks):
            path.rename(tmp_path / "s3.log.1") if way == "renamed" else path.write_bytes(b"")
            write(tmp_path, "s3", "two")
        return more

    found = list(read(tmp_path, ["s3"], tail=0, follow=keep_following))
    assert found == ["s3 | two"]


@pytest.mark.parametrize("way", ["appended", "renamed", "cut", "nothing"])
def test_only_lines_since_the_start_must_be_quoted(tmp_path: Path, way: str) -> None:
    """A log also contains the output of earlier starts."""
    path = write(tmp_path, "s3", "an earlier start", "which failed")
    output = log.Log("s3", path)
    output.skip()
    if way == "renamed":
        path.rename(tmp_path / "s3.log.1")
    elif way == "cut":
        path.write_bytes(b"")
    expected = [] if way == "nothing" else ["one", "two"]
    write(tmp_path, "s3", *expected)
    assert output.last(12) == expected


def test_all_lines_of_a_service_that_never_ran_must_be_quoted(tmp_path: Path) -> None:
    output = log.Log("s3", tmp_path / "s3.log")
    output.skip()
    write(tmp_path, "s3", "one")
    assert output.last(12) == ["one"]


def test_windows_users_must_be_referred_to_wsl_or_docker() -> None:
    with pytest.raises(EngineError, match="WSL") as caught:
        availability.check(local_stack(), "win32")
    assert "WSL" in (caught.value.hint or "")
    assert "Docker" in (caught.value.hint or "")


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_every_unix_must_be_supported(platform: str) -> None:
    availability.check(local_stack(), platform)


def test_a_key_that_the_s3_server_cannot_read_must_be_reported_and_not_shown() -> None:
    found = local_stack(MINIO_SECRET_ACCESS_KEY="hunter2,hunter2")
    with pytest.raises(
        EngineError, match="MINIO_SECRET_ACCESS_KEY must not contain a comma"
    ) as caught:
        availability.check(found)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_secrets_that_the_s3_server_does_not_read_may_contain_a_comma() -> None:
    found = local_stack(MINIO_ROOT_PASSWORD="hunter2,hunter2", PG_PASSWORD="a,b")
    availability.check(found)


@pytest.mark.parametrize("provider", ["minio", "rclone"])
def test_the_default_provider_and_rclone_must_run_without_docker(
    provider: str, tmp_path: Path
) -> None:
    availability.check_data(local_stack(S3_PROVIDER=provider), tmp_path)


@pytest.mark.parametrize("provider", ["versitygw", "seaweedfs", "rustfs"])
def test_a_server_that_needs_docker_must_be_refused_without_docker(
    provider: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=f"S3_PROVIDER {provider} needs Docker") as caught:
        availability.check_data(local_stack(S3_PROVIDER=provider), tmp_path)
    assert "STACK_ENGINE=docker" in (caught.value.hint or "")
    availability.check_data(local_stack(S3_PROVIDER=provider, ARTIFACT_STORE="local"), tmp_path)


def test_data_of_minio_must_not_be_reused(tmp_path: Path) -> None:
    found = local_stack(MINIO_VOLUME_PATH="my objects")
    # Neither folder exists yet.
    availability.check_data(found, tmp_path / "local")
    (tmp_path / "my objects" / "bucket").mkdir(parents=True)
    availability.check_data(found, tmp_path / "local")
    (tmp_path / "my objects" / ".minio.sys").mkdir()
    with pytest.raises(EngineError, match="holds data of S3_PROVIDER minio") as caught:
        availability.check_data(found, tmp_path / "local")
    assert "MINIO_VOLUME_PATH" in (caught.value.hint or "")
    assert "STACK_ENGINE=docker" in (caught.value.hint or "")


def changed(name: str, **values: object) -> tuple[ServiceStatus, ...]:
    """Return the statuses of healthy services except for one."""
    return tuple(
        replace(status, **values) if status.name == name else status  # type: ignore[arg-type]
        for status in ALL_WELL
    )


def verdict(
    *looks: Sequence[ServiceStatus], seconds: float = 20, screen: FakeScreen | None = None
) -> Verdict:
    """Watch services with these statuses at each look; the last one repeats."""
    seen: Iterator[Sequence[ServiceStatus]] = chain(looks, repeat(looks[-1]))
    return watch(local_stack(), lambda: next(seen), screen or FakeScreen(), seconds)


def culprit(found: Verdict) -> str:
    assert found.culprit is not None
    return found.culprit.name


def test_a_start_must_end_when_all_services_are_up() -> None:
    waits = tuple(replace(s, state="running", health="starting") for s in ALL_WELL)
    screen = FakeScreen()
    assert verdict((), waits, changed("mlflow", health="starting"), ALL_WELL, screen=screen) == (
        Verdict()
    )
    assert screen.shown == [
        "postgres healthy",
        "s3 healthy",
        "bucket-init exited",
        "mlflow healthy",
    ]


def test_a_service_that_becomes_unhealthy_must_be_waited_for() -> None:
    found = verdict(ALL_WELL[:3], changed("s3", health="unhealthy"), ALL_WELL)
    assert not found.failed


def test_a_failed_job_must_end_the_start_at_once() -> None:
    failed = changed("bucket-init", exit_code=1)
    found = verdict(changed("bucket-init", state="created"), failed)
    assert (found.failed, found.late, culprit(found)) == (True, False, "bucket-init")


def test_a_job_that_has_not_started_yet_must_be_waited_for() -> None:
    looks = [changed("bucket-init", state=word) for word in ("created", "running")]
    assert not verdict(*looks, ALL_WELL).failed


def test_a_server_that_exited_twice_must_end_the_start() -> None:
    """A single exit may be bad luck; the current state does not matter."""
    looks = [changed("s3", health="starting", restarts=count) for count in (0, 1, 2)]
    assert not verdict(looks[0], looks[1], changed("s3", restarts=1)).failed
    found = verdict(*looks)
    assert (found.failed, found.late, culprit(found)) == (True, False, "s3")
    assert found.culprit is not None
    assert found.culprit.text == "keeps restarting"


def test_a_server_that_takes_too_long_must_be_reported_as_late() -> None:
    found = verdict(changed("mlflow", health="starting"), seconds=0.05)
    assert (found.failed, found.late, culprit(found)) == (True, True, "mlflow")


def test_a_start_without_any_status_must_be_late_too() -> None:
    found = verdict((), seconds=0.05)
    assert (found.failed, found.late, found.culprit) == (True, True, None)


S3 = local_stack().service("s3")
JOB = local_stack().service("bucket-init")


def status_of(word: str, *, started: int = 1, exit_code: int = 0) -> ServiceStatus:
    process = Process("s3", word, 4711, started, exit_code)
    return service_status(S3, process, "healthy", restarts=1)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("STARTING", "running"),
        ("RUNNING", "running"),
        ("STOPPING", "running"),
        ("BACKOFF", "restarting"),
        ("EXITED", "exited"),
        ("FATAL", "exited"),
        ("STOPPED", "exited"),
    ],
)
def test_every_state_must_be_translated_to_dockers_terms(word: str, expected: str) -> None:
    found = status_of(word, exit_code=3)
    assert found.state == expected
    assert found.exit_code == (3 if expected == "exited" else 0)
    assert found.ports == (("127.0.0.1:9000",) if expected == "running" else ())
    assert found.restarts == 1
    assert found.since == (datetime.fromtimestamp(1, UTC) if expected == "running" else None)


def test_restarts_must_be_counted_from_the_last_start_by_a_command(tmp_path: Path) -> None:
    starts = Starts(tmp_path)
    assert starts.restarts(S3) == 0
    for content, count in (("", 0), (".", 0), ("..", 1), ("." * 501, 500)):
        (tmp_path / "s3.starts").write_text(content, encoding="utf-8")
        assert starts.restarts(S3) == count
    (tmp_path / "bucket-init.starts").write_text("..", encoding="utf-8")
    assert starts.restarts(JOB) == 0
    starts.forget((S3,))
    assert (starts.restarts(S3), (tmp_path / "bucket-init.starts").exists()) == (0, True)


def test_every_state_of_supervisord_must_be_known() -> None:
    assert set(state.STATES) == {name for name in vars(ProcessStates) if name.isupper()}


def test_a_service_that_never_ran_must_not_count_as_exited() -> None:
    assert status_of("STOPPED", started=0).state == "created"


def health_of(
    folder: Path, script: str, *, age: float = 0, timeout: int = 5, waits: int = 0
) -> str:
    """Return the health of a server with this check that started `age` seconds ago."""
    (folder / "s3").mkdir(exist_ok=True)
    (folder / "s3" / "healthcheck.sh").write_text(script, encoding="utf-8")
    service = replace(S3, healthcheck=Healthcheck(("CMD",), timeout=timeout, waits=waits))
    with child() as running:
        began = psutil.Process(running.pid).create_time()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: began + age)
            process = Process("s3", "RUNNING", running.pid, 1, 0)
            return health(service, process, folder, ENVIRON, timeout)


def test_the_health_of_a_server_must_be_that_of_its_check(tmp_path: Path) -> None:
    assert health_of(tmp_path, "exit 0") == "healthy"
    assert health_of(tmp_path, "exit 1") == "starting"
    assert health_of(tmp_path, "test $PWD = nowhere") == "starting"


@pytest.mark.parametrize("waits", [0, 4])
@pytest.mark.parametrize(("age", "word"), [(290, "starting"), (310, "unhealthy")])
def test_a_slow_start_must_not_count_as_unhealthy(
    tmp_path: Path, age: float, word: str, waits: int
) -> None:
    assert health_of(tmp_path, "exit 1", age=age, waits=waits) == word


def test_a_hanging_check_must_count_as_no_answer(tmp_path: Path) -> None:
    assert health_of(tmp_path, "exec sleep 60", timeout=1) == "starting"


def test_a_job_must_have_no_health(tmp_path: Path) -> None:
    assert health(JOB, Process("bucket-init", "RUNNING", 1, 1, 0), tmp_path, ENVIRON) == ""


def test_a_check_that_passed_must_rarely_be_repeated_during_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3" / "healthcheck.sh").write_text("echo >>calls", encoding="utf-8")
    calls = tmp_path / "calls"
    service = replace(S3, ports=(), healthcheck=Healthcheck(("CMD",)))
    checks = HealthChecks(tmp_path, ENVIRON)
    running = Process("s3", "RUNNING", os.getpid(), 1, 0)
    for process, timeout, expected in (
        (running, 5, 1),
        (running, 5, 1),
        (replace(running, state="STARTING", pid=os.getppid()), 5, 2),
        (running, None, 3),
    ):
        assert checks.run(service, process, timeout) == "healthy"
        assert len(calls.read_text(encoding="utf-8").splitlines()) == expected
    assert checks.run(service, replace(running, state="BACKOFF"), 5) == ""
    monkeypatch.setattr(state, "REPEAT_AFTER", 0)
    (tmp_path / "s3" / "healthcheck.sh").write_text("exit 1", encoding="utf-8")
    assert checks.run(service, running, 5) != "healthy"


def test_a_server_that_does_not_listen_yet_must_not_be_checked_by_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that runs the tests stands for the server, and may be old.
    monkeypatch.setattr(state, "PATIENCE", sys.maxsize)
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3" / "healthcheck.sh").write_text("echo >>calls", encoding="utf-8")
    running = Process("s3", "RUNNING", os.getpid(), 1, 0)
    with socket.socket() as server:
        # Bound, so that no other process can listen there.
        server.bind(("127.0.0.1", 0))
        port = replace(S3.ports[0], published=server.getsockname()[1])
        service = replace(S3, ports=(port,), healthcheck=Healthcheck(("CMD",)))
        checks = HealthChecks(tmp_path, ENVIRON)
        assert checks.run(service, running, 5) == "starting"
        assert not (tmp_path / "calls").exists()
        server.listen()
        assert checks.run(service, running, 5) == "healthy"


def create_stack(root: Path, identity: str) -> Path:
    """Create a stack's folder with an id; return the folder of its rendered files."""
    root.mkdir(exist_ok=True)
    keep_identity(Identity(identity), StackPaths(root / ".env"))
    return root / "local"


def marks(folder: Path, mark: str = IDENTITY) -> dict[str, str]:
    """Return the environment variables of a stack's process."""
    return {MARK: mark, HOME: str(folder)}


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (IDENTITY, True),
        (f"{IDENTITY}/s3", True),
        (f"{IDENTITY}0/s3", False),
        (IDENTITY[:-1], False),
        ("s3", False),
        ("", False),
    ],
    ids=["the stack", "a service", "a longer id", "a shorter id", "a service alone", "nothing"],
)
def test_a_process_must_belong_to_the_stack_whose_id_it_carries(
    tmp_path: Path, mark: str, *, found: bool
) -> None:
    folder = create_stack(tmp_path, IDENTITY)
    owner = Owner(IDENTITY, folder)
    with child(environ=marks(folder, mark)) as process:
        assert owner.has(process.pid) is found
        assert [other.pid for other in processes.of(owner)] == ([process.pid] if found else [])


def test_a_process_must_belong_to_its_stack_also_after_a_move(tmp_path: Path) -> None:
    """Whether the old folder is gone or belongs to another stack now."""
    old, new = tmp_path / "old", tmp_path / "new"
    with child(environ=marks(create_stack(old, IDENTITY))) as process:
        old.rename(new)
        owner = Owner(IDENTITY, new / "local")
        assert owner.has(process.pid)
        create_stack(old, "f" * 16)
        assert owner.has(process.pid)
        assert not Owner("f" * 16, old / "local").has(process.pid)


def test_a_process_must_not_belong_to_a_copy_that_claims_the_same_id(tmp_path: Path) -> None:
    folder = create_stack(tmp_path / "original", IDENTITY)
    copy = create_stack(tmp_path / "copy", IDENTITY)
    folder.mkdir()
    with child(environ=marks(folder)) as process:
        assert Owner(IDENTITY, folder).has(process.pid)
        assert not Owner(IDENTITY, copy).has(process.pid)


def test_a_process_with_another_root_must_not_belong_to_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, in which another stack has the same id and path."""
    folder, ours, theirs = tmp_path / "local", tmp_path / "ours", tmp_path / "theirs"
    monkeypatch.setattr(processes, "PROC", tmp_path / "proc")
    with child(environ=marks(folder)) as process:
        owner = Owner(IDENTITY, folder)
        # Not every system has this folder.
        assert owner.has(process.pid)
        rooted(tmp_path / "proc", self=ours)
        assert not owner.has(process.pid)
        for root, belongs in ((theirs, False), (ours, True)):
            rooted(tmp_path / "proc", **{f"pid{process.pid}": root})
            assert owner.has(process.pid) is belongs


@pytest.fixture
def by_another_user(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return this user's uid, and pretend to be another user who sees all processes, like root."""
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return uid


@pytest.mark.usefixtures("by_another_user")
def test_a_process_of_another_user_must_not_belong_to_the_stack(tmp_path: Path) -> None:
    """Every response of the stack contains its id, so anyone can start a process with it."""
    folder = create_stack(tmp_path, IDENTITY)
    with child(environ=marks(folder)) as process:
        owner = Owner(IDENTITY, folder)
        assert not owner.has(process.pid)
        assert list(processes.of(owner)) == []


def test_a_process_of_the_user_that_root_runs_servers_as_must_belong_to_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_another_user: int
) -> None:
    folder = create_stack(tmp_path, IDENTITY)
    monkeypatch.setattr(machine, "DATABASE_USER", pwd.getpwuid(by_another_user).pw_name)
    with child(environ=marks(folder)) as process:
        assert Owner(IDENTITY, folder).has(process.pid)


@pytest.mark.usefixtures("by_another_user")
def test_a_process_of_the_owner_of_the_stacks_files_must_belong_to_the_stack(
    tmp_path: Path,
) -> None:
    """Root uses a stack that a user started, and runs that user's files anyway."""
    folder = create_stack(tmp_path, IDENTITY)
    folder.mkdir()
    with child(environ=marks(folder)) as process:
        assert Owner(IDENTITY, folder).has(process.pid)


def test_a_process_that_has_exited_must_not_belong_to_the_stack(tmp_path: Path) -> None:
    owner = Owner(IDENTITY, tmp_path)
    assert not owner.has(gone())
    assert list(processes.of(owner)) == []
    assert processes.age(gone()) == 0


def test_the_ports_of_a_process_must_be_those_that_it_listens_on() -> None:
    code = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0));"
        "c = socket.create_connection(s.getsockname());"
        "print('here', flush=True); sys.stdin.readline();"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with child("python3", "-S", "-c", code, environ=ENVIRON) as process:
        found = list(processes.listening(psutil.Process(process.pid)))
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert found == [int(process.stdout.readline())]


def test_only_orphans_must_be_killed(tmp_path: Path) -> None:
    folder = create_stack(tmp_path / "stack", IDENTITY)
    with (
        child(environ=marks(folder)) as supervisor,
        child(environ=marks(folder, f"{IDENTITY}/s3")) as server,
        child(environ=marks(folder, f"{'f' * 16}/s3")) as other,
    ):
        orphans.end_orphans(Owner(IDENTITY, folder))
        assert (supervisor.wait(timeout=10), server.wait(timeout=10)) == (-9, -15)
        assert other.poll() is None


def test_a_supervisord_out_of_reach_must_not_restart_what_is_ended(tmp_path: Path) -> None:
    folder = create_stack(tmp_path / "stack", IDENTITY)
    code = (
        "import os, subprocess\n"
        "mark = os.environ['STACK_SERVICE'] + '/postgres'\n"
        "environ = {**os.environ, 'STACK_SERVICE': mark}\n"
        "while True:\n"
        "    with subprocess.Popen(['sleep', '60'], env=environ):\n"
        "        print('here', flush=True)\n"
    )
    owner = Owner(IDENTITY, folder)
    with child(sys.executable, "-c", code, environ={**marks(folder), "PATH": "/usr/bin:/bin"}):
        assert len(list(processes.of(owner))) == 2
        orphans.end_orphans(owner)
        assert list(processes.of(owner)) == []


def test_orphans_that_exit_meanwhile_must_not_be_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of a server exit when they notice that it is gone."""
    environ = marks(tmp_path)
    with child(environ=environ) as old, child(environ=environ) as older:

        def looked_at() -> Iterator[int]:
            yield old.pid
            old.kill()
            old.wait()
            yield older.pid

        with monkeypatch.context() as patch:
            patch.setattr(psutil, "pids", looked_at)
            orphans.end_orphans(Owner(IDENTITY, tmp_path))
        assert older.wait(timeout=10) == -9


def test_commands_must_be_ended_if_their_starter_was_killed(tmp_path: Path) -> None:
    """As `import` by `kill -9`: what it started inside would go on writing."""
    code = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "from mlflow_compose.engines.local.processes import Owner\n"
        "marks = Owner(sys.argv[1], Path(sys.argv[2])).command_marks\n"
        "command = subprocess.Popen(['sleep', '60'], env={**marks, 'PATH': '/usr/bin:/bin'})\n"
        "print('here', flush=True)\n"
        "print(command.pid, flush=True)\n"
        "command.wait()\n"
    )
    owner, environ = Owner(IDENTITY, tmp_path), {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = (sys.executable, "-c", code, IDENTITY, str(tmp_path))
    with (
        child(environ=marks(tmp_path, f"{IDENTITY}/s3")) as server,
        child(*command, environ=environ) as starter,
    ):
        assert starter.stdout is not None
        number = int(starter.stdout.readline())
        orphans.end_abandoned_commands(owner)
        assert not processes.is_gone(number)
        starter.kill()
        starter.wait()
        orphans.end_abandoned_commands(owner)
        assert processes.is_gone(number)
        assert server.poll() is None


@pytest.mark.parametrize("how", ["works in it", "has a file open", "has its path as an argument"])
def test_a_process_that_uses_the_data_must_be_reported_whatever_started_it(
    tmp_path: Path, how: str
) -> None:
    data, other = tmp_path / "data/mlflow_data", tmp_path / "data/mlflow_tmp"
    data.mkdir(parents=True)
    other.mkdir()
    (data / "mlflow.db").touch()
    assert processes.process_using(tmp_path, [data]) == ""
    commands = {
        "works in it": ("cd data/mlflow_data; exec", ""),
        "has a file open": ("exec", "<data/mlflow_data/mlflow.db"),
        "has its path as an argument": ("exec", ""),
    }
    before, after = commands[how]
    word = "--backend-store-uri=sqlite:///data/mlflow_data/mlflow.db" if "argument" in how else "x"
    script = f"{before} sh -c 'echo here >&2; read line <&3' {word} {after}"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        ["sh", "-c", f"exec 3<&0; {script}"], cwd=tmp_path, stdin=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "here\n"
        assert processes.process_using(tmp_path, [data]) == f"sh (pid {process.pid})"
        assert processes.process_using(tmp_path, [other]) == ""
        process.communicate("\n")


def pid_file(folder: Path, text: str) -> None:
    (folder / "run").mkdir(parents=True, exist_ok=True)
    (folder / "run" / "supervisord.pid").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("text", ["", "garbage", "0", "99999999999999999999"])
def test_an_invalid_pid_file_must_be_ignored(tmp_path: Path, text: str) -> None:
    assert not is_running(Owner(IDENTITY, tmp_path))
    pid_file(tmp_path, text)
    assert not is_running(Owner(IDENTITY, tmp_path))


def test_a_supervisord_must_belong_to_this_stack(tmp_path: Path) -> None:
    """After a reboot, its pid may belong to another program."""
    owner = Owner(IDENTITY, tmp_path)
    pid_file(tmp_path, f"{os.getpid()}\n")
    assert not is_running(owner)
    with child(environ=marks(tmp_path)) as process:
        pid_file(tmp_path, f"{process.pid}\n")
        assert is_running(owner)
    assert not is_running(owner)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def has_docker(folder: Path, script: str) -> None:
    """Create a docker command there that runs `script` in sh."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)


ANSWERS = 'case "$*" in *info*) echo "{}";; *version*) echo 2.40.3;; esac'
REFUSES = f'case "$*" in *"compose version"*) {ANSWERS};; *) echo "no daemon" >&2; exit 1;; esac'


@pytest.mark.parametrize("wanted", ["docker", "local"])
def test_the_chosen_engine_must_be_used(wanted: str, bin_folder: Path, tmp_path: Path) -> None:
    """Whether it is available is checked elsewhere, and no note is needed."""
    for script in (None, ANSWERS, REFUSES):
        if script:
            has_docker(bin_folder, script)
        assert choose(wanted, StackPaths(tmp_path / ".env"), ID) == Choice(wanted)


def test_docker_must_be_used_if_it_answers(bin_folder: Path, tmp_path: Path) -> None:
    has_docker(bin_folder, ANSWERS)
    assert choose("auto", StackPaths(tmp_path / ".env"), ID) == Choice("docker", "Docker answers")


def test_a_stack_must_run_without_docker_if_there_is_none(bin_folder: Path, tmp_path: Path) -> None:
    found = choose("auto", StackPaths(tmp_path / ".env"), ID)
    assert found == Choice("local", "Docker is not installed: docker is not in PATH")
    has_docker(bin_folder, REFUSES)
    found = choose("auto", StackPaths(tmp_path / ".env"), ID)
    assert found == Choice("local", "Docker's engine does not answer: no daemon")


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_the_engine_that_has_the_data_of_a_stack_must_run_it(
    engine: str, bin_folder: Path, tmp_path: Path
) -> None:
    """Otherwise, after Docker was installed or stopped, the stack would start empty."""
    if engine == "local":
        has_docker(bin_folder, ANSWERS)
    found = choose("auto", StackPaths(tmp_path / ".env"), ID, [engine])
    assert found == Choice(engine, "it has the data of this stack")


def test_docker_must_be_used_if_it_answers_and_both_engines_have_data(
    bin_folder: Path, tmp_path: Path
) -> None:
    has_docker(bin_folder, ANSWERS)
    found = choose("auto", StackPaths(tmp_path / ".env"), ID, ["docker", "local"])
    assert found.engine == "docker"


def test_the_engine_that_runs_a_stack_must_keep_it(bin_folder: Path, tmp_path: Path) -> None:
    has_docker(bin_folder, ANSWERS)
    paths = StackPaths(tmp_path / ".env")
    with child(environ=marks(paths.local)) as process:
        pid_file(paths.local, f"{process.pid}\n")
        assert choose("auto", paths, ID) == Choice("local", "it runs this stack already")
        assert choose("docker", paths, ID) == Choice("docker")
    assert choose("auto", paths, ID).engine == "docker"


def database(run_as: str) -> Service:
    service = local_stack().service("postgres")
    return replace(service, environment={**service.environment, "RUN_AS": run_as})


def test_a_user_must_only_be_created_if_needed(bin_folder: Path) -> None:
    """Only by root, and only if there is no user of that name."""
    useradd = bin_folder / "useradd"
    useradd.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    useradd.chmod(0o755)
    availability.create_user(database(""))
    availability.create_user(database("root"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root creates users")
@pytest.mark.parametrize(
    ("script", "sentence"),
    [(None, "there is no useradd"), ("echo 'group exists' >&2; exit 9", "created: group exists")],
)
def test_a_user_that_cannot_be_created_must_be_reported(
    bin_folder: Path, script: str | None, sentence: str
) -> None:
    if script:
        useradd = bin_folder / "useradd"
        useradd.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        useradd.chmod(0o755)
    with pytest.raises(EngineError, match=sentence) as caught:
        availability.create_user(database("nobody-of-this-name"))
    assert "ordinary user" in (caught.value.hint or "")


def test_the_mark_must_be_the_one_that_the_scripts_search() -> None:
    """The tool and the rendered scripts must find the same processes."""
    assert (processes.MARK, processes.HOME) == (MARK, HOME)
    for service in local_stack().services:
        script = render(local_stack()).files[f"{service.name}/run.sh"].text
        assert f'export {MARK}={samples.IDENTITY}/{service.name} {HOME}="$(pwd -P)"\n' in script


def test_a_user_without_a_name_must_be_reported_before_postgres_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in containers that run with a bare uid; PostgreSQL's own message suggests no solution."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(EngineError, match=f"as user {NOBODY}") as caught:
        availability.check_user(local_stack())
    assert "BACKEND_STORE=sqlite" in (caught.value.hint or "")
    availability.check_user(local_stack(BACKEND_STORE="sqlite"))
    availability.check_user(local_stack(PG_HOST="db.lab"))


def test_a_user_with_a_name_must_be_able_to_run_postgres() -> None:
    availability.check_user(local_stack())
