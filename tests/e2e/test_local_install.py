"""From nothing but Python to a proven stack, as an unprivileged user."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .student import Student, is_root, python_for_others
from .tool import run
from .waiting import wait_until

STATE = Path("/var/lib/mlflow-compose")


@pytest.fixture(scope="module")
def student() -> Iterator[Student]:
    """Return a user who installed the tool; the stack is not started."""
    python = python_for_others()
    if python is None:
        pytest.skip("no Python 3.11 or newer that an unprivileged user can run")
    # Not below pytest's folder, which is closed to others.
    home = Path(tempfile.mkdtemp(prefix="mlflow-compose-student-"))
    found = Student(home)
    found.install(python)
    found.init()
    yield found
    found.types("down", "--volumes", "--yes", code=None)
    shutil.rmtree(home)


def installed(student: Student) -> list[str]:
    """Return the folders in the cache: complete installations and others."""
    folder = student.cache / "mlflow-compose"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def wait_until_half_installed(student: Student) -> None:
    """Wait until the packages are partly installed."""
    pattern = "mlflow-compose/*.*.*.*/new/lib/*/site-packages/mlflow"
    wait_until(
        lambda: list(student.cache.glob(pattern)),
        seconds=120,
        what="the packages are partly installed",
    )


def test_an_interrupted_installation_must_leave_nothing_behind(student: Student) -> None:
    with student.started("up") as process:
        wait_until_half_installed(student)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert installed(student) == []


def test_a_user_without_rights_must_get_a_proven_stack_after_a_killed_installation(
    student: Student,
) -> None:
    """After kill -9, only the next installation can clean up."""
    with student.started("up") as process:
        wait_until_half_installed(student)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert len(installed(student)) == 1
    start = time.monotonic()
    output = student.types("up", "--json")
    assert time.monotonic() - start < 180
    (name,) = installed(student)
    assert name.startswith("mlflow-")
    assert output.envelope["ok"]
    assert output.data["engine"] == "local"
    pids = [int(pid.read_text()) for pid in student.stack.glob("local/run/supervisord.pid")]
    (supervisor,) = (psutil.Process(pid) for pid in pids)
    assert {process.uids().real for process in supervisor.children(recursive=True)} == {student.uid}
    assert not (student.stack / "local" / "data" / "postgres_data").is_symlink()
    # Other tests run stacks as root, whose databases are there.
    assert run("find", str(STATE), "-uid", str(student.uid), code=None).out == ""
    student.types("down")


@pytest.mark.skipif(not is_root(), reason="only root can make a folder that its user cannot write")
def test_an_unwritable_cache_must_be_reported(student: Student) -> None:
    output = student.types("up", code=1, XDG_CACHE_HOME="/etc")
    output.shows("/etc/mlflow-compose cannot be written: Permission denied", "XDG_CACHE_HOME")


@pytest.mark.skipif(not is_root(), reason="only root can make a folder that its user cannot write")
def test_an_unwritable_folder_must_be_reported(student: Student) -> None:
    closed = student.home / "closed"
    closed.mkdir()
    shutil.copyfile(student.stack / ".env", closed / ".env")
    os.chown(closed / ".env", student.uid, -1)
    output = student.types("--env-file", str(closed / ".env"), "up", code=1)
    output.shows(f"{closed}", "cannot be written: Permission denied", "hint: ")


@pytest.mark.skipif(not is_root(), reason="only root can mount a full disk")
def test_a_full_disk_must_be_reported(student: Student) -> None:
    small = student.home / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=20m,uid={student.uid}", "tmpfs", str(small)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not possible here: {done.stderr.strip()}")
    try:
        output = student.types("up", code=1, XDG_CACHE_HOME=str(small))
        output.shows("could not be installed", "No space left on device", "make room on the disk")
        assert list((small / "mlflow-compose").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_version_that_does_not_exist_must_be_reported(student: Student) -> None:
    """With data of another version, before anything is installed."""
    output = student.types("up", code=1, MLFLOW_VERSION="99.0.0")
    output.shows("MLFLOW_VERSION", "99.0.0")


def test_an_index_that_does_not_answer_must_be_reported_without_its_password(
    student: Student,
) -> None:
    index = "http://somebody:the-index-password@127.0.0.1:9/simple"
    # Otherwise uv already has everything in its cache.
    elsewhere = str(student.home / "empty")
    output = student.types("up", code=1, PIP_INDEX_URL=index, UV_CACHE_DIR=elsewhere,
                         XDG_CACHE_HOME=elsewhere)  # fmt: skip
    output.shows("could not be installed", "PIP_INDEX_URL")
    assert "the-index-password" not in output.text
