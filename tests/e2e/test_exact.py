"""What is deleted is the stack's own, by its own path or name, and not in use."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import MakeStack
from .docker_stack import docker
from .local_stack import LocalStack
from .running import Run, RunningStack, docker_only, local_only
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
FOLDERS = "Docker's volumes are not folders of the user's"
WITH_DATABASE: Mapping[str, str] = {"ARTIFACT_STORE": "local"}
BY_HAND = ("STACK_", "leftovers.py")


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file in a folder, by path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# --- links


@local_only(FOLDERS)
@pytest.mark.parametrize("name", [VOLUME, "minio_data"])
def test_nothing_must_be_deleted_through_a_link(
    name: str, make_stack: MakeStack, tmp_path: Path
) -> None:
    """A user's own link to a larger disk leads to a folder among others."""
    big = tmp_path / "somewhere" / "big"
    (big / name).mkdir(parents=True)
    (big / "thesis.txt").write_text("the only copy", encoding="utf-8")
    (big / name / "notes.txt").write_text("beside the data", encoding="utf-8")
    stack = make_stack(**(SMALLEST if name == VOLUME else {"BACKEND_STORE": "sqlite"}))
    data = stack.folder / "local" / "data"
    data.mkdir(parents=True)
    (data / name).symlink_to(big / name)
    stack.up()
    run = stack.log_run()
    stack.tool("down")
    before = files_in(big)
    assert run.artifact in before.values()
    stack.tool(*PRUNE, code=None)
    assert files_in(big) == before
    said = stack.tool(*DELETE, code=None)
    assert files_in(big) == before
    said.shows(str(big / name))


# --- what a setting calls unused


@pytest.mark.parametrize("setting", ["BACKEND_STORE=sqlite", "ARTIFACT_STORE=local"])
@pytest.mark.parametrize("place", ["environment", "env file"])
def test_a_setting_must_not_make_data_in_use_a_leftover(
    setting: str, place: str, mended: RunningStack
) -> None:
    """No migration was finished, so nothing is left over."""
    run = mended.log_run()
    before = mended.starts(), mended.volumes(), mended.rows(), mended.objects()
    name, _, value = setting.partition("=")
    if place == "environment":
        mended.tool(*PRUNE, code=None, **{name: value})
    else:
        with mended.changed(**{name: value}):
            mended.tool(*PRUNE, code=None)
    assert (mended.starts(), mended.volumes(), mended.rows(), mended.objects()) == before
    mended.expect(run)


def test_data_that_no_migration_left_over_must_stay(make_stack: MakeStack) -> None:
    """Also when nothing runs that could be seen to use it."""
    stack = make_stack(**SMALLEST)
    stack.up()
    stack.log_run()
    stack.tool("down")
    before = kept(stack)
    stack.tool(*PRUNE, code=None, BACKEND_STORE="postgres", ARTIFACT_STORE="s3")
    assert kept(stack) == before


# --- servers that the tool did not start


@local_only("containers are always Docker's")
def test_data_of_a_supervisord_of_ones_own_must_not_be_deleted_under_it(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(**SMALLEST)
    stack.up()
    stack.log_run()
    stack.tool("down")
    before = kept(stack)
    run("supervisord", "-c", "supervisord.conf", folder=stack.folder / "local")
    stack.wait_until_healthy("mlflow")
    if stack.tool(*DELETE, code=None).code:
        assert (is_up(stack), kept(stack)) == (True, before)
        run("supervisorctl", "shutdown", folder=stack.folder / "local")
        wait_until(lambda: not is_up(stack), seconds=60, what="supervisord ended")
    else:
        assert (is_up(stack), kept(stack)) == (False, NOTHING)


@contextmanager
def server_by_hand(stack: RunningStack) -> Iterator[None]:
    """Run mlflow from its rendered script, without what the tool knows its processes by."""
    folder = stack.folder / "local"
    lines = (folder / "mlflow" / "run.sh").read_text(encoding="utf-8").splitlines()
    script = "\n".join(
        line
        for line in lines
        if not line.startswith("cd ") and not any(word in line for word in BY_HAND)
    )
    with subprocess.Popen(
        ["sh", "-c", script],
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


@local_only("containers are always Docker's")
def test_data_must_not_be_deleted_under_a_server_by_hand(make_stack: MakeStack) -> None:
    stack = make_stack(**SMALLEST)
    stack.up()
    stack.log_run()
    stack.tool("down")
    before = kept(stack)
    with server_by_hand(stack):
        code = stack.tool(*DELETE, code=None).code
        assert (is_up(stack), kept(stack)) == ((True, before) if code else (False, NOTHING))
    if code:
        stack.tool(*DELETE)
        assert kept(stack) == NOTHING


@docker_only("it is about containers")
def test_a_volume_that_another_container_uses_must_be_named(make_stack: MakeStack) -> None:
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
    stack.tool(*DELETE)
    assert not volume_exists(volume)


# --- root's database, which is not in the stack's folder


@dataclass
class Namesakes:
    """A stack whose folder was renamed, and a new one in a folder of the old name."""

    old: LocalStack
    old_run: Run
    new: LocalStack
    new_run: Run


def database_of(stack: LocalStack) -> Path:
    """Return where root's database of a stack really is."""
    return (stack.local_folder / "data" / "postgres_data").readlink()


as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root's database is elsewhere")


@pytest.fixture
def namesakes(stack_in: Callable[..., LocalStack], tmp_path: Path) -> Namesakes:
    old = stack_in(tmp_path / "lab", **WITH_DATABASE)
    old.up()
    old_run = old.log_run()
    old.tool("down")
    move(old, tmp_path / "archive")
    new = stack_in(tmp_path / "lab", **WITH_DATABASE)
    new.up()
    return Namesakes(old, old_run, new, new.log_run())


@as_root
@local_only(FOLDERS)
def test_a_new_stack_in_a_folder_of_an_old_name_must_have_its_own_database(
    namesakes: Namesakes,
) -> None:
    old, new = namesakes.old, namesakes.new
    said = old.up()
    assert "rm " not in said.text
    assert database_of(old) != database_of(new)
    assert old.stored_runs() == [namesakes.old_run.id]
    assert new.stored_runs() == [namesakes.new_run.id]

    # Exactly one of them is deleted.
    gone, stays = database_of(new), database_of(old)
    new.tool(*DELETE)
    assert not gone.exists()
    assert not os.path.lexists(new.local_folder / "data" / "postgres_data")
    assert old.stored_runs() == [namesakes.old_run.id]

    # A disk that is not mounted looks like this.
    old.tool("down")
    away = stays.parent.with_name(f"{stays.parent.name}.away")
    stays.parent.rename(away)
    try:
        old.up(code=1).shows(str(stays))
        assert database_of(old) == stays
        assert not stays.exists()
    finally:
        shutil.rmtree(stays.parent, ignore_errors=True)
        away.rename(stays.parent)
    old.up()
    assert old.stored_runs() == [namesakes.old_run.id]


@as_root
@local_only(FOLDERS)
def test_a_copy_of_a_stack_must_not_be_told_to_delete_the_only_database(
    stack_in: Callable[..., LocalStack], tmp_path: Path
) -> None:
    """A copy has the same link as the original, which is the one whose database it is."""
    stack = stack_in(tmp_path / "lab", **WITH_DATABASE)
    stack.up()
    stack.log_run()
    stack.tool("down")
    copy = LocalStack.__new__(LocalStack)
    copy.__dict__.update(vars(stack))
    copy.folder, copy.env_file = tmp_path / "copy", tmp_path / "copy" / ".env"
    shutil.copytree(stack.folder, copy.folder, symlinks=True)
    database = database_of(stack)
    copy.up(code=1)
    copy.tool(*DELETE, code=None)
    assert (database / "pgdata").is_dir()
    stack.up()
    assert len(stack.stored_runs()) == 1
