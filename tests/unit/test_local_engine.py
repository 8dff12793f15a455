"""What the engine without Docker knows of its servers: logs, states, processes, and what to do."""

import os
import pwd
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import psutil
import pytest
from supervisor.states import ProcessStates

from mlflow_compose import machine
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.choice import Choice, choose
from mlflow_compose.engines.local import availability, log, processes, state
from mlflow_compose.engines.local.log import read
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.state import health, service_status
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
from tests.unit.processes import HOME, MARK, child, gone
from tests.unit.samples import local_stack

# Its own in each process that runs tests: they see each other's processes.
IDENTITY = f"{os.getpid():016x}"
ID = Identity(IDENTITY)
# A number above those of any user.
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
def test_as_many_lines_must_be_shown_as_were_asked_for(
    tmp_path: Path, tail: int | None, lines: list[str]
) -> None:
    write(tmp_path, "s3", "one", "two", "three")
    assert list(read(tmp_path, ["s3"], tail=tail)) == [f"s3 | {line}" for line in lines]


def test_the_lines_of_several_services_must_be_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "s3", "one", "two")
    write(tmp_path, "mlflow", "three")
    assert list(read(tmp_path, ["s3", "mlflow"], tail=1)) == ["s3     | two", "mlflow | three"]


def test_a_service_that_never_ran_must_have_said_nothing(tmp_path: Path) -> None:
    write(tmp_path, "s3", "one")
    assert list(read(tmp_path / "nowhere", ["s3"], tail=None)) == []
    assert list(read(tmp_path, ["mlflow", "s3"], tail=5)) == ["s3     | one"]


def test_what_is_not_text_must_be_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "s3.log").write_bytes(b"caf\xe9\n\n\xf0\x9f\x98\x80\n")
    assert list(read(tmp_path, ["s3"], tail=None)) == ["s3 | caf\ufffd", "s3 | ", "s3 | 😀"]


def followed(folder: Path, looks: Sequence[Sequence[str]], tail: int | None = None) -> list[str]:
    """Follow the log of s3, in which so many lines more are found at each look."""
    more = iter(looks)
    left = len(looks)

    def goes_on() -> bool:
        nonlocal left
        left -= 1
        write(folder, "s3", *next(more))
        return left > 0

    return list(read(folder, ["s3"], tail=tail, follow=goes_on))


def test_new_lines_must_be_shown_until_the_stack_ends(tmp_path: Path) -> None:
    """The last words too, which servers say while they are stopped."""
    write(tmp_path, "s3", "zero", "one")
    looks = [[], ["two"], [], ["three", "four"], ["bye"]]
    lines = ["one", "two", "three", "four", "bye"]
    assert followed(tmp_path, looks, tail=1) == [f"s3 | {line}" for line in lines]


def test_a_log_that_begins_later_must_be_shown_from_its_beginning(tmp_path: Path) -> None:
    assert followed(tmp_path, [[], ["one"]], tail=0) == ["s3 | one"]


def test_half_a_line_must_be_shown_when_it_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "s3", "one")
    parts = iter(["tw", "o\nth", "re", "e\n"])

    def goes_on() -> bool:
        part = next(parts, None)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(part or "")
        return part is not None

    found = list(read(tmp_path, ["s3"], tail=None, follow=goes_on))
    assert found == ["s3 | one", "s3 | two", "s3 | three"]


@pytest.mark.parametrize("way", ["renamed", "cut"])
def test_a_log_that_was_rotated_must_be_followed_from_its_new_beginning(
    tmp_path: Path, way: str
) -> None:
    path = write(tmp_path, "s3", "one, which is longer than what comes later")
    looks = iter([True, False])

    def goes_on() -> bool:
        if more := next(looks):
            path.rename(tmp_path / "s3.log.1") if way == "renamed" else path.write_bytes(b"")
            write(tmp_path, "s3", "two")
        return more

    found = list(read(tmp_path, ["s3"], tail=0, follow=goes_on))
    assert found == ["s3 | two"]


@pytest.mark.parametrize("way", ["appended", "renamed", "cut", "nothing"])
def test_only_what_was_said_since_must_be_quoted(tmp_path: Path, way: str) -> None:
    """A log has the words of earlier starts too."""
    path = write(tmp_path, "s3", "an earlier start", "which failed")
    said = log.Log("s3", path)
    said.skip()
    if way == "renamed":
        path.rename(tmp_path / "s3.log.1")
    elif way == "cut":
        path.write_bytes(b"")
    expected = [] if way == "nothing" else ["one", "two"]
    write(tmp_path, "s3", *expected)
    assert said.last(12) == expected


def test_all_must_be_quoted_of_a_service_that_never_ran(tmp_path: Path) -> None:
    said = log.Log("s3", tmp_path / "s3.log")
    said.skip()
    write(tmp_path, "s3", "one")
    assert said.last(12) == ["one"]


def test_windows_must_be_sent_to_wsl_or_docker() -> None:
    with pytest.raises(EngineError, match="WSL") as caught:
        availability.check(local_stack(), "win32")
    assert "WSL" in (caught.value.hint or "")
    assert "Docker" in (caught.value.hint or "")


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_unix_must_do(platform: str) -> None:
    availability.check(local_stack(), platform)


def test_a_key_that_the_s3_server_cannot_read_must_be_named_and_not_shown() -> None:
    found = local_stack(MINIO_SECRET_ACCESS_KEY="hunter2,hunter2")
    with pytest.raises(
        EngineError, match="MINIO_SECRET_ACCESS_KEY must not contain a comma"
    ) as caught:
        availability.check(found)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_what_the_s3_server_never_reads_may_hold_a_comma() -> None:
    found = local_stack(MINIO_ROOT_PASSWORD="hunter2,hunter2", PG_PASSWORD="a,b")
    availability.check(found)


@pytest.mark.parametrize("provider", ["minio", "rclone"])
def test_the_default_and_what_it_means_here_must_run_without_docker(
    provider: str, tmp_path: Path
) -> None:
    availability.check_data(local_stack(S3_PROVIDER=provider), tmp_path)


@pytest.mark.parametrize("provider", ["versitygw", "seaweedfs", "rustfs"])
def test_a_server_that_needs_docker_must_be_refused_without(provider: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"S3_PROVIDER {provider} needs Docker") as caught:
        availability.check_data(local_stack(S3_PROVIDER=provider), tmp_path)
    assert "STACK_ENGINE=docker" in (caught.value.hint or "")
    availability.check_data(local_stack(S3_PROVIDER=provider, ARTIFACT_STORE="local"), tmp_path)


def test_data_of_minio_must_not_be_taken_over(tmp_path: Path) -> None:
    found = local_stack(MINIO_VOLUME_PATH="my objects")
    # Neither folder is there yet.
    availability.check_data(found, tmp_path / "local")
    (tmp_path / "my objects" / "bucket").mkdir(parents=True)
    availability.check_data(found, tmp_path / "local")
    (tmp_path / "my objects" / ".minio.sys").mkdir()
    with pytest.raises(EngineError, match="holds data of S3_PROVIDER minio") as caught:
        availability.check_data(found, tmp_path / "local")
    assert "MINIO_VOLUME_PATH" in (caught.value.hint or "")
    assert "STACK_ENGINE=docker" in (caught.value.hint or "")


def changed(name: str, **values: object) -> tuple[ServiceStatus, ...]:
    """Return how services are where all is well, but for one."""
    return tuple(
        replace(status, **values) if status.name == name else status  # type: ignore[arg-type]
        for status in ALL_WELL
    )


def verdict(
    *looks: Sequence[ServiceStatus], seconds: float = 20, screen: FakeScreen | None = None
) -> Verdict:
    """Watch services that are so at each look, and then go on as at the last."""
    seen: Iterator[Sequence[ServiceStatus]] = chain(looks, repeat(looks[-1]))
    return watch(local_stack(), lambda: next(seen), screen or FakeScreen(), seconds)


def culprit(found: Verdict) -> str:
    assert found.culprit is not None
    return found.culprit.name


def test_a_start_must_end_when_all_are_up() -> None:
    waits = tuple(replace(s, state="running", health="starting") for s in ALL_WELL)
    screen = FakeScreen()
    assert verdict((), waits, changed("mlflow", health="starting"), ALL_WELL, screen=screen) == (
        Verdict()
    )
    assert screen.said == ["postgres healthy", "s3 healthy", "bucket-init exited", "mlflow healthy"]


def test_a_service_that_is_up_and_then_not_must_be_waited_for() -> None:
    found = verdict(ALL_WELL[:3], changed("s3", health="unhealthy"), ALL_WELL)
    assert not found.failed


def test_a_job_that_failed_must_end_the_start_at_once() -> None:
    failed = changed("bucket-init", exit_code=1)
    found = verdict(changed("bucket-init", state="created"), failed)
    assert (found.failed, found.late, culprit(found)) == (True, False, "bucket-init")


def test_a_job_that_did_not_begin_yet_must_be_waited_for() -> None:
    looks = [changed("bucket-init", state=word) for word in ("created", "running")]
    assert not verdict(*looks, ALL_WELL).failed


def test_a_server_that_ended_twice_must_end_the_start() -> None:
    """Once may be bad luck, and whatever it does at this moment."""
    looks = [changed("s3", health="starting", restarts=count) for count in (0, 1, 2)]
    assert not verdict(looks[0], looks[1], changed("s3", restarts=1)).failed
    found = verdict(*looks)
    assert (found.failed, found.late, culprit(found)) == (True, False, "s3")
    assert found.culprit is not None
    assert found.culprit.text == "keeps restarting"


def test_a_server_that_takes_too_long_must_be_called_late() -> None:
    found = verdict(changed("mlflow", health="starting"), seconds=0.05)
    assert (found.failed, found.late, culprit(found)) == (True, True, "mlflow")


def test_a_start_of_which_nothing_is_seen_must_be_late_too() -> None:
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
def test_every_state_must_be_said_in_dockers_words(word: str, expected: str) -> None:
    found = status_of(word, exit_code=3)
    assert found.state == expected
    assert found.exit_code == (3 if expected == "exited" else 0)
    assert found.ports == (("127.0.0.1:9000",) if expected == "running" else ())
    assert found.restarts == 1


def test_no_state_of_supervisord_must_be_unknown_to_us() -> None:
    assert set(state.STATES) == {name for name in vars(ProcessStates) if name.isupper()}


def test_what_never_ran_must_not_be_called_ended() -> None:
    assert status_of("STOPPED", started=0).state == "created"


def asked(folder: Path, script: str, *, age: float = 0, timeout: int = 5) -> str:
    """Return the health of a server whose check is `script`, and which began so long ago."""
    (folder / "s3").mkdir(exist_ok=True)
    (folder / "s3" / "healthcheck.sh").write_text(script, encoding="utf-8")
    service = replace(S3, healthcheck=Healthcheck(("CMD",), timeout=timeout))
    with child() as running:
        began = psutil.Process(running.pid).create_time()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: began + age)
            process = Process("s3", "RUNNING", running.pid, 1, 0)
            return health(service, process, folder, ENVIRON, timeout)


def test_a_server_must_be_as_healthy_as_its_check_says(tmp_path: Path) -> None:
    assert asked(tmp_path, "exit 0") == "healthy"
    assert asked(tmp_path, "exit 1") == "starting"
    assert asked(tmp_path, "test $PWD = nowhere") == "starting"


@pytest.mark.parametrize(("age", "word"), [(290, "starting"), (310, "unhealthy")])
def test_a_slow_start_must_not_be_a_broken_server(tmp_path: Path, age: float, word: str) -> None:
    assert asked(tmp_path, "exit 1", age=age) == word


def test_a_check_that_hangs_must_be_no_answer(tmp_path: Path) -> None:
    assert asked(tmp_path, "exec sleep 60", timeout=1) == "starting"


def test_a_job_must_have_no_health(tmp_path: Path) -> None:
    assert health(JOB, Process("bucket-init", "RUNNING", 1, 1, 0), tmp_path, ENVIRON) == ""


def is_kept(root: Path, identity: str) -> Path:
    """Make a stack's folder that has an id; return that of its rendered files."""
    root.mkdir(exist_ok=True)
    keep_identity(Identity(identity), StackPaths(root / ".env"))
    return root / "local"


def marks(folder: Path, mark: str = IDENTITY) -> dict[str, str]:
    """Return what is in the environment of a process of a stack."""
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
    folder = is_kept(tmp_path, IDENTITY)
    owner = Owner(IDENTITY, folder)
    with child(environ=marks(folder, mark)) as process:
        assert owner.has(process.pid) is found
        assert [other.pid for other in processes.of(owner)] == ([process.pid] if found else [])


def test_a_process_must_belong_to_its_stack_also_after_a_move(tmp_path: Path) -> None:
    """Whether the old folder is gone, or is another stack's by now."""
    old, new = tmp_path / "old", tmp_path / "new"
    with child(environ=marks(is_kept(old, IDENTITY))) as process:
        old.rename(new)
        owner = Owner(IDENTITY, new / "local")
        assert owner.has(process.pid)
        is_kept(old, "f" * 16)
        assert owner.has(process.pid)
        assert not Owner("f" * 16, old / "local").has(process.pid)


def test_a_process_must_not_belong_to_a_copy_that_claims_the_same_id(tmp_path: Path) -> None:
    folder = is_kept(tmp_path / "original", IDENTITY)
    copy = is_kept(tmp_path / "copy", IDENTITY)
    folder.mkdir()
    with child(environ=marks(folder)) as process:
        assert Owner(IDENTITY, folder).has(process.pid)
        assert not Owner(IDENTITY, copy).has(process.pid)


@pytest.fixture
def by_another_user(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return this user's number, and be another one who sees all processes, as root does."""
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return uid


@pytest.mark.usefixtures("by_another_user")
def test_a_process_of_another_user_must_not_belong_to_the_stack(tmp_path: Path) -> None:
    """Every answer of the stack tells its id, so anybody can start a process that carries it."""
    folder = is_kept(tmp_path, IDENTITY)
    with child(environ=marks(folder)) as process:
        owner = Owner(IDENTITY, folder)
        assert not owner.has(process.pid)
        assert list(processes.of(owner)) == []


def test_a_process_of_the_user_that_root_starts_servers_as_must_belong_to_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_another_user: int
) -> None:
    folder = is_kept(tmp_path, IDENTITY)
    monkeypatch.setattr(machine, "DATABASE_USER", pwd.getpwuid(by_another_user).pw_name)
    with child(environ=marks(folder)) as process:
        assert Owner(IDENTITY, folder).has(process.pid)


@pytest.mark.usefixtures("by_another_user")
def test_a_process_of_the_owner_of_the_stacks_files_must_belong_to_the_stack(
    tmp_path: Path,
) -> None:
    """Root works on a stack that a user started: what that user writes there is run anyway."""
    folder = is_kept(tmp_path, IDENTITY)
    folder.mkdir()
    with child(environ=marks(folder)) as process:
        assert Owner(IDENTITY, folder).has(process.pid)


def test_a_process_that_ended_must_belong_to_nobody(tmp_path: Path) -> None:
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


def test_orphans_must_be_ended_and_nothing_else(tmp_path: Path) -> None:
    folder = is_kept(tmp_path / "stack", IDENTITY)
    with (
        child(environ=marks(folder)) as supervisor,
        child(environ=marks(folder, f"{IDENTITY}/s3")) as server,
        child(environ=marks(folder, f"{'f' * 16}/s3")) as other,
    ):
        processes.end_orphans(Owner(IDENTITY, folder))
        assert (supervisor.wait(timeout=10), server.wait(timeout=10)) == (-9, -9)
        assert other.poll() is None


def test_orphans_that_end_meanwhile_must_not_be_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of a server end by themselves when they see that it is gone."""
    environ = marks(tmp_path)
    with child(environ=environ) as old, child(environ=environ) as older:

        def looked_at() -> Iterator[int]:
            yield old.pid
            old.kill()
            old.wait()
            yield older.pid

        with monkeypatch.context() as patch:
            patch.setattr(psutil, "pids", looked_at)
            processes.end_orphans(Owner(IDENTITY, tmp_path))
        assert older.wait(timeout=10) == -9


@pytest.mark.parametrize("how", ["works in it", "has a file open", "was told of it"])
def test_a_process_that_uses_data_must_be_named_whoever_started_it(
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
        "was told of it": ("exec", ""),
    }
    before, after = commands[how]
    word = "--backend-store-uri=sqlite:///data/mlflow_data/mlflow.db" if "told" in how else "x"
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
def test_a_pid_file_of_nobody_must_be_nobodys(tmp_path: Path, text: str) -> None:
    assert not is_running(Owner(IDENTITY, tmp_path))
    pid_file(tmp_path, text)
    assert not is_running(Owner(IDENTITY, tmp_path))


def test_a_supervisord_must_be_that_of_this_stack(tmp_path: Path) -> None:
    """After a restart of the machine, its number may be another program's."""
    owner = Owner(IDENTITY, tmp_path)
    pid_file(tmp_path, f"{os.getpid()}\n")
    assert not is_running(owner)
    with child(environ=marks(tmp_path)) as process:
        pid_file(tmp_path, f"{process.pid}\n")
        assert is_running(owner)
    assert not is_running(owner)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which commands are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def has_docker(folder: Path, script: str) -> None:
    """Put a docker command there that does what `script` says, in sh."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)


ANSWERS = 'case "$*" in *info*) echo "{}";; *version*) echo 2.40.3;; esac'
REFUSES = f'case "$*" in *"compose version"*) {ANSWERS};; *) echo "no daemon" >&2; exit 1;; esac'


@pytest.mark.parametrize("wanted", ["docker", "local"])
def test_the_engine_that_was_asked_for_must_be_taken(
    wanted: str, bin_folder: Path, tmp_path: Path
) -> None:
    """Whether it is here is another question, and nothing needs to be said about it."""
    for script in (None, ANSWERS, REFUSES):
        if script:
            has_docker(bin_folder, script)
        assert choose(wanted, StackPaths(tmp_path / ".env"), ID) == Choice(wanted)


def test_docker_must_be_taken_where_it_answers(bin_folder: Path, tmp_path: Path) -> None:
    has_docker(bin_folder, ANSWERS)
    assert choose("auto", StackPaths(tmp_path / ".env"), ID) == Choice("docker", "Docker answers")


def test_a_stack_must_run_without_docker_where_there_is_none(
    bin_folder: Path, tmp_path: Path
) -> None:
    found = choose("auto", StackPaths(tmp_path / ".env"), ID)
    assert found == Choice("local", "Docker is not installed: docker is not in PATH")
    has_docker(bin_folder, REFUSES)
    found = choose("auto", StackPaths(tmp_path / ".env"), ID)
    assert found == Choice("local", "Docker's engine does not answer: no daemon")


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_the_engine_that_has_the_data_of_a_stack_must_run_it(
    engine: str, bin_folder: Path, tmp_path: Path
) -> None:
    """On another one it would start empty, because Docker came or is down."""
    if engine == "local":
        has_docker(bin_folder, ANSWERS)
    found = choose("auto", StackPaths(tmp_path / ".env"), ID, [engine])
    assert found == Choice(engine, "it has the data of this stack")


def test_of_two_engines_with_data_docker_must_be_taken_where_it_answers(
    bin_folder: Path, tmp_path: Path
) -> None:
    has_docker(bin_folder, ANSWERS)
    found = choose("auto", StackPaths(tmp_path / ".env"), ID, ["docker", "local"])
    assert found.engine == "docker"


def test_the_engine_that_runs_a_stack_must_go_on_with_it(bin_folder: Path, tmp_path: Path) -> None:
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


def test_a_user_must_be_made_only_where_one_is_wanted(bin_folder: Path) -> None:
    """By somebody who may, and where there is none of that name."""
    useradd = bin_folder / "useradd"
    useradd.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    useradd.chmod(0o755)
    availability.create_user(database(""))
    availability.create_user(database("root"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes users")
@pytest.mark.parametrize(
    ("script", "sentence"),
    [(None, "there is no useradd"), ("echo 'group exists' >&2; exit 9", "created: group exists")],
)
def test_a_user_that_cannot_be_made_must_be_named(
    bin_folder: Path, script: str | None, sentence: str
) -> None:
    if script:
        useradd = bin_folder / "useradd"
        useradd.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        useradd.chmod(0o755)
    with pytest.raises(EngineError, match=sentence) as caught:
        availability.create_user(database("nobody-of-this-name"))
    assert "ordinary user" in (caught.value.hint or "")


def test_the_mark_must_be_the_one_that_scripts_look_for() -> None:
    """The tool and the rendered scripts find the same processes."""
    assert (processes.MARK, processes.HOME) == (MARK, HOME)
    for service in local_stack().services:
        script = render(local_stack()).files[f"{service.name}/run.sh"].text
        assert f'export {MARK}={samples.IDENTITY}/{service.name} {HOME}="$(pwd -P)"\n' in script


def test_a_user_without_a_name_must_be_told_before_postgres_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in containers that run as a number; PostgreSQL's own message names no way out."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(EngineError, match=f"as user {NOBODY}") as caught:
        availability.check_user(local_stack())
    assert "BACKEND_STORE=sqlite" in (caught.value.hint or "")
    availability.check_user(local_stack(BACKEND_STORE="sqlite"))
    availability.check_user(local_stack(PG_HOST="db.lab"))


def test_a_user_with_a_name_must_be_able_to_run_postgres() -> None:
    availability.check_user(local_stack())
