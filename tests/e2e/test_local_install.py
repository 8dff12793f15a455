"""From nothing but Python to a proven stack, as somebody who may do nothing on the machine."""

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
from .waiting import wait_until

STATE = Path("/var/lib/mlflow-compose")


@pytest.fixture(scope="module")
def student() -> Iterator[Student]:
    """Return a user who installed the tool; his stack is not started."""
    python = python_for_others()
    if python is None:
        pytest.skip("there is no Python from 3.11 on that a user without rights may run")
    # Not below pytest's folder, which is closed to others.
    home = Path(tempfile.mkdtemp(prefix="mlflow-compose-student-"))
    found = Student(home)
    found.install(python)
    found.init()
    yield found
    found.types("down", "--volumes", "--yes", code=None)
    shutil.rmtree(home)


def installed(student: Student) -> list[str]:
    """Return the folders in the cache: whole installations, and others."""
    folder = student.cache / "mlflow-compose"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def wait_for_half(student: Student) -> None:
    """Wait until something is installed, and not all of it."""
    pattern = "mlflow-compose/*.*.*.*/new/lib/*/site-packages/mlflow"
    wait_until(lambda: list(student.cache.glob(pattern)), seconds=120, what="half is installed")


def test_an_interrupted_installation_must_leave_nothing_behind(student: Student) -> None:
    with student.started("up") as process:
        wait_for_half(student)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert installed(student) == []


def test_a_user_without_rights_must_get_a_proven_stack_after_a_killed_installation(
    student: Student,
) -> None:
    """Nobody can clean up after kill -9: the next one does."""
    with student.started("up") as process:
        wait_for_half(student)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert len(installed(student)) == 1
    before = set(STATE.iterdir()) if STATE.exists() else set()
    start = time.monotonic()
    said = student.types("up", "--json")
    assert time.monotonic() - start < 180
    (name,) = installed(student)
    assert name.startswith("mlflow-")
    assert said.envelope["ok"]
    assert said.data["engine"] == "local"
    pids = [int(pid.read_text()) for pid in student.stack.glob("local/run/supervisord.pid")]
    (supervisor,) = (psutil.Process(pid) for pid in pids)
    assert {process.uids().real for process in supervisor.children(recursive=True)} == {student.uid}
    assert not (student.stack / "local" / "data" / "postgres_data").is_symlink()
    assert (set(STATE.iterdir()) if STATE.exists() else set()) == before
    student.types("down")


@pytest.mark.skipif(not is_root(), reason="only root can make a folder that its user cannot write")
def test_a_cache_that_cannot_be_written_must_be_named(student: Student) -> None:
    said = student.types("up", code=1, XDG_CACHE_HOME="/etc")
    said.shows("/etc/mlflow-compose cannot be written: Permission denied", "XDG_CACHE_HOME")


@pytest.mark.skipif(not is_root(), reason="only root can make a folder that its user cannot write")
def test_a_folder_that_cannot_be_written_must_be_named(student: Student) -> None:
    closed = student.home / "closed"
    closed.mkdir()
    shutil.copyfile(student.stack / ".env", closed / ".env")
    os.chown(closed / ".env", student.uid, -1)
    said = student.types("--env-file", str(closed / ".env"), "up", code=1)
    said.shows(f"{closed}", "cannot be written: Permission denied", "hint: ")


@pytest.mark.skipif(not is_root(), reason="only root can make a disk that is full")
def test_a_full_disk_must_be_named(student: Student) -> None:
    small = student.home / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=20m,uid={student.uid}", "tmpfs", str(small)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")
    try:
        said = student.types("up", code=1, XDG_CACHE_HOME=str(small))
        said.shows("could not be installed", "No space left on device", "make room on the disk")
        assert list((small / "mlflow-compose").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_version_that_does_not_exist_must_be_named(student: Student) -> None:
    said = student.types("up", code=1, MLFLOW_VERSION="99.0.0")
    said.shows("could not be installed", "MLFLOW_VERSION")


def test_an_index_that_does_not_answer_must_be_named_without_its_password(student: Student) -> None:
    index = "http://somebody:the-index-password@127.0.0.1:9/simple"
    # Else uv has all of it in its cache already.
    elsewhere = str(student.home / "empty")
    said = student.types("up", code=1, PIP_INDEX_URL=index, UV_CACHE_DIR=elsewhere,
                         XDG_CACHE_HOME=elsewhere)  # fmt: skip
    said.shows("could not be installed", "PIP_INDEX_URL")
    assert "the-index-password" not in said.text
