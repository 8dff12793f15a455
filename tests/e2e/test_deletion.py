"""Commands only delete the stack's own data, by its own path or name, and never data in use."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import MakeStack
from .docker_stack import docker
from .local_stack import LocalStack
from .running import RunningStack, docker_only, local_only
from .small import (
    NOTHING,
    SMALLEST,
    VOLUME,
    is_up,
    kept,
    move,
    python_image,
    volume_exists,
)
from .tool import environment, run
from .waiting import wait_until

DELETE = ("down", "--volumes", "--yes")
PRUNE = ("migrate-store", "--prune", "--yes")
FOLDERS = "Docker's volumes are not folders of the user"
# Data folders of a stack on SQLite: MLflow's and the S3 server's.
LINKED = (VOLUME, "minio_data")
WITH_DATABASE: Mapping[str, str] = {"ARTIFACT_STORE": "local"}
BY_HAND = ("STACK_", "end_orphans.py")
# In the rendered script; the bucket exists since the stack was up.
WAIT_FOR_BUCKET = "until [ run/bucket-init.done -nt run/supervisord.pid ]"


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# --- links


@pytest.fixture
def linked(make_stack: MakeStack, tmp_path: Path) -> tuple[RunningStack, Path]:
    """Return a stopped stack whose data folders are links, and the folder that they lead to.

    A user's symlinks to a larger disk point to folders next to unrelated files.
    """
    big, stack = tmp_path / "somewhere" / "big", make_stack(BACKEND_STORE="sqlite")
    data = stack.folder / "local" / "data"
    data.mkdir(parents=True)
    for name in LINKED:
        (big / name).mkdir(parents=True)
        (big / name / "notes.txt").write_text("beside the data", encoding="utf-8")
        (data / name).symlink_to(big / name)
    (big / "thesis.txt").write_text("the only copy", encoding="utf-8")
    stack.up()
    run = stack.log_run()
    stack.tool("down")
    assert run.artifact in files_in(big).values()
    return stack, big


def expect_links_to_protect(stack: RunningStack, big: Path) -> None:
    """Assert that no command deletes anything behind the links."""
    before = files_in(big)
    assert f"{VOLUME}/mlflow.db" in before
    stack.tool(*PRUNE, code=None)
    assert files_in(big) == before
    output = stack.tool(*DELETE, code=None)
    assert files_in(big) == before
    output.shows(*(str(big / name) for name in LINKED))


def replace_links(stack: RunningStack, big: Path) -> None:
    """Move the data to where the links were, as in a stack without links."""
    for name in LINKED:
        path = stack.folder / "local" / "data" / name
        path.unlink(missing_ok=True)
        (big / name).rename(path)


# --- data that a setting makes look unused


def test_a_setting_must_not_turn_data_in_use_into_a_leftover(shared: RunningStack) -> None:
    """In the environment or in the env file; no migration was finished: there are no leftovers."""
    run = shared.log_run()
    before = shared.starts(), shared.volumes(), shared.rows(), shared.objects()
    for name, value in (("BACKEND_STORE", "sqlite"), ("ARTIFACT_STORE", "local")):
        shared.tool(*PRUNE, code=None, **{name: value})
        with shared.changed(**{name: value}):
            shared.tool(*PRUNE, code=None)
    assert (shared.starts(), shared.volumes(), shared.rows(), shared.objects()) == before
    shared.expect(run)


def expect_prune_to_keep_data(stack: RunningStack) -> None:
    """Assert that `--prune` keeps the data of a stopped stack that was never migrated."""
    before = kept(stack)
    stack.tool(*PRUNE, code=None, BACKEND_STORE="postgres", ARTIFACT_STORE="s3")
    assert kept(stack) == before


# --- servers that the tool did not start


@contextmanager
def server_by_hand(stack: RunningStack) -> Iterator[None]:
    """Run mlflow from its rendered script, without the mark by which the tool finds processes."""
    folder = stack.folder / "local"
    lines = (folder / "mlflow" / "run.sh").read_text(encoding="utf-8").splitlines()
    script = "\n".join(
        line
        for line in lines
        if not line.startswith("cd ") and not any(word in line for word in BY_HAND)
    )
    with subprocess.Popen(
        ["sh", "-c", script.replace(WAIT_FOR_BUCKET, "while false")],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            check = ("sh", "mlflow/healthcheck.sh")
            wait_until(
                lambda: run(*check, code=None, folder=folder).code == 0,
                seconds=60,
                what="the server answers",
            )
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@local_only("Docker's volumes are not folders of the user, and its containers are always its own")
def test_data_must_not_be_deleted_through_a_link_as_a_leftover_or_under_a_running_server(
    linked: tuple[RunningStack, Path],
) -> None:
    """A server started by hand keeps running with its data; a manual supervisord is stopped."""
    stack, big = linked
    expect_links_to_protect(stack, big)
    replace_links(stack, big)
    expect_prune_to_keep_data(stack)
    before = kept(stack)
    assert len(before.runs) == 1
    with server_by_hand(stack):
        stack.tool(*DELETE, code=1)
        assert (is_up(stack), kept(stack)) == (True, before)
    run("supervisord", "-c", "supervisord.conf", folder=stack.folder / "local")
    stack.wait_until_healthy("mlflow")
    stack.tool(*DELETE)
    assert (is_up(stack), kept(stack)) == (False, NOTHING)


@docker_only("it is about containers")
def test_a_volume_must_not_be_deleted_as_a_leftover_or_while_mounted_elsewhere(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(**SMALLEST)
    stack.up()
    stack.log_run()
    before, volume = kept(stack), f"{stack.name}_{VOLUME}"
    mounted = ("--volume", f"{volume}:/kept", "--entrypoint", "sleep")
    user = docker("run", "--detach", "--rm", *mounted, python_image(), "600").out.strip()
    try:
        stack.tool(*DELETE, code=1).shows(volume)
        assert kept(stack) == before
    finally:
        docker("rm", "--force", user)
    stack.tool("down")
    expect_prune_to_keep_data(stack)
    stack.tool(*DELETE)
    assert not volume_exists(volume)


# --- root's database, which is outside the stack's folder


def database_of(stack: LocalStack) -> Path:
    """Return the real path of a stack's database when root runs it."""
    return (stack.local_folder / "data" / "postgres_data").readlink()


def expect_copy_to_delete_nothing(stack: LocalStack, folder: Path) -> None:
    """Assert that a copy of the folder, with the same symlink, cannot delete the database."""
    copy = LocalStack.__new__(LocalStack)
    copy.__dict__.update(vars(stack))
    copy.folder, copy.env_file = folder, folder / ".env"
    shutil.copytree(stack.folder, copy.folder, symlinks=True)
    copy.up(code=1)
    copy.tool(*DELETE, code=None)
    assert (database_of(stack) / "pgdata").is_dir()


def expect_missing_disk_to_be_reported(stack: LocalStack) -> None:
    """Assert that no new database is created while the disk of the old one is not mounted."""
    database = database_of(stack)
    away = database.parent.with_name(f"{database.parent.name}.away")
    database.parent.rename(away)
    try:
        stack.up(code=1).shows(str(database))
        assert database_of(stack) == database
        assert not database.exists()
    finally:
        shutil.rmtree(database.parent, ignore_errors=True)
        away.rename(database.parent)


@pytest.mark.skipif(os.getuid() != 0, reason="only root's database is outside the stack's folder")
@local_only(FOLDERS)
def test_a_database_must_stay_with_its_stack_after_a_copy_a_move_and_a_new_namesake(
    stack_in: Callable[..., LocalStack], tmp_path: Path
) -> None:
    """The stack's folder is copied and renamed; a new stack is created under its old name."""
    old = stack_in(tmp_path / "lab", **WITH_DATABASE)
    old.up()
    old_run = old.log_run()
    old.tool("down")
    expect_copy_to_delete_nothing(old, tmp_path / "copy")
    move(old, tmp_path / "archive")
    new = stack_in(tmp_path / "lab", **WITH_DATABASE)
    new.up()
    new_run = new.log_run()
    expect_missing_disk_to_be_reported(old)
    output = old.up()
    assert "rm " not in output.text
    assert database_of(old) != database_of(new)
    assert old.stored_runs() == [old_run.id]
    assert new.stored_runs() == [new_run.id]

    # Exactly one of the databases is deleted.
    gone = database_of(new)
    new.tool(*DELETE)
    assert not gone.exists()
    assert not os.path.lexists(new.local_folder / "data" / "postgres_data")
    assert old.stored_runs() == [old_run.id]
