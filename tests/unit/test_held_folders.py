"""An unmounted disk looks like an empty folder: `up` must not start a new stack in it."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.actions.folders import held_folders
from mlflow_compose.actions.restore import Work
from mlflow_compose.engines import Engine, open_engine
from mlflow_compose.engines.data_paths import data_path
from mlflow_compose.engines.docker import DockerEngine
from mlflow_compose.engines.docker.data import claim_folders
from mlflow_compose.engines.local.folders import Folders
from mlflow_compose.engines.ownership import claim
from mlflow_compose.errors import EngineError, MlflowComposeError, NotReadyError, ServiceError
from mlflow_compose.paths import StackPaths
from mlflow_compose.record import read_record, write_record
from mlflow_compose.result import Progress
from mlflow_compose.stack import known_volumes
from mlflow_compose.targets import LOCAL
from tests.unit.fakes import FakeEngine, FakeScreen
from tests.unit.samples import env_text, stack

SMALL = ("STACK_ENGINE=local", "BACKEND_STORE=sqlite", "MLFLOW_PORT=15000", "MINIO_PORT=19000")
OBJECTS = "../objects"
NONE: Mapping[str, MlflowComposeError] = {}
GONE = "the data of this stack was in"


def plan(folder: Path, *lines: str) -> Plan:
    """Return the plan of a stack without Docker."""
    folder.mkdir(exist_ok=True)
    (folder / ".env").write_text(env_text(*SMALL, *lines), encoding="utf-8")
    return load_plan(*read_settings(folder / ".env", {}), {}, LOCAL)


def folders(found: Plan) -> Folders:
    return Folders(found.stack, found.paths.local, found.identity.copied_from)


class Disk(FakeEngine):
    """Starts nothing, but creates and checks data folders as the local engine does."""

    def __init__(self, found: Plan, problems: Mapping[str, MlflowComposeError] = NONE) -> None:
        super().__init__(found.stack, problems=problems)
        self._data, self._folder = folders(found), found.paths.local

    def data_folders(self) -> tuple[str, ...]:
        return self._data.marked

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        super().check_data(start_empty=start_empty, held=held)
        self._data.check(held)

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        self._data.create()
        for name in self.stack.folders:
            data_path(self._folder, name).mkdir(exist_ok=True)
        self._data.claim_shared()
        return super().start(progress, wait_timeout=wait_timeout, without=without)

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        if volumes:
            self._data.remove(known_volumes(), ())
        return super().stop(progress, volumes=volumes)


def up(found: Plan, *, start_empty: bool = False, engine: FakeEngine | None = None) -> None:
    runs = engine or Disk(found)
    actions.up(
        found,
        runs,
        FakeScreen(),
        wait_timeout=5,
        prove=False,
        engine_of=None if start_empty else lambda _: runs,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a stack's folder whose data is on another disk."""
    folder, disk = tmp_path / "stack", tmp_path / "disk"
    disk.mkdir()
    (folder / "local").mkdir(parents=True)
    (folder / "local" / "data").symlink_to(disk)
    return folder


def unmount(disk: Path) -> Path:
    """Leave the empty mount point of a disk; return the path of its content."""
    content = disk.rename(disk.with_name(f"{disk.name}-unmounted"))
    disk.mkdir()
    return content


def test_an_empty_mount_point_must_not_become_a_new_stack(home: Path) -> None:
    up(plan(home))
    disk = home.parent / "disk"
    content = unmount(disk)
    with pytest.raises(EngineError, match=GONE) as caught:
        up(plan(home))
    assert f"{home}/local/data/minio_data, which is {disk}/minio_data," in caught.value.message
    assert "mount" in (caught.value.hint or "")
    assert "--start-empty" in (caught.value.hint or "")
    assert list(disk.iterdir()) == []
    disk.rmdir()
    content.rename(disk)
    up(plan(home))


def test_start_empty_must_start_without_the_disk_and_be_needed_only_once(home: Path) -> None:
    up(plan(home))
    unmount(home.parent / "disk")
    up(plan(home), start_empty=True)
    up(plan(home))


def test_an_unmounted_folder_of_the_user_must_be_reported(tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    objects.mkdir()
    line = f"MINIO_VOLUME_PATH={objects}"
    up(plan(tmp_path / "stack", line))
    unmount(objects)
    with pytest.raises(EngineError, match=f"{GONE} {objects}, which no longer holds it"):
        up(plan(tmp_path / "stack", line))
    objects.rmdir()
    with pytest.raises(EngineError, match=GONE):
        up(plan(tmp_path / "stack", line))


def test_data_created_by_a_failed_start_must_be_missed_too(home: Path) -> None:
    """Its database may already be in use."""
    found = plan(home)
    late = {"start": NotReadyError("s3 is not ready", service="s3")}
    with pytest.raises(NotReadyError):
        up(found, engine=Disk(found, late))
    unmount(home.parent / "disk")
    with pytest.raises(EngineError, match=GONE):
        up(plan(home))


def test_a_start_that_created_no_data_must_not_be_missed(tmp_path: Path) -> None:
    found = plan(tmp_path / "stack")
    with pytest.raises(EngineError):
        up(found, engine=FakeEngine(found.stack, problems={"start": EngineError("no disk")}))
    up(plan(tmp_path / "stack"))


def test_a_stack_without_recorded_folders_must_start(home: Path) -> None:
    found = plan(home)
    up(found)
    write_record(replace(read_record(found.paths), folders={}), found.paths)
    unmount(home.parent / "disk")
    up(plan(home))


def test_deleted_data_must_not_be_missed_but_kept_data_must(tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    objects.mkdir()
    line = f"MINIO_VOLUME_PATH={objects}"
    found = plan(tmp_path / "stack", line)
    up(found)
    actions.down(found, Disk(found), FakeScreen(), volumes=True)
    up(plan(tmp_path / "stack", line))
    actions.down(found, Disk(found), FakeScreen(), volumes=True)
    unmount(objects)
    with pytest.raises(EngineError, match=GONE):
        up(plan(tmp_path / "stack", line))


def test_a_copy_must_not_miss_the_originals_data(home: Path) -> None:
    """As after removing the link, which `up` advises."""
    up(plan(home))
    copy = home.parent / "copy"
    shutil.copytree(home, copy, symlinks=True)
    (copy / "local" / "data").unlink()
    up(plan(copy))
    assert set(held_folders(plan(copy))) == set(folders(plan(copy)).marked)


def test_a_temporary_folder_must_not_be_missed(tmp_path: Path) -> None:
    found = plan(tmp_path / "stack")
    up(found)
    shutil.rmtree(found.paths.local / "data" / "mlflow_tmp")
    up(found)


def test_the_docker_engine_must_miss_a_folder_of_the_user_too(tmp_path: Path) -> None:
    paths = StackPaths(tmp_path / "stack" / ".env")
    objects = tmp_path / "stack" / "objects"
    objects.mkdir(parents=True)
    engine: Engine = DockerEngine(stack(MINIO_VOLUME_PATH="objects"), paths)
    assert engine.data_folders() == ()
    claim_folders(engine.stack, paths.compose)
    assert engine.data_folders() == (OBJECTS,)
    unmount(objects)
    with pytest.raises(EngineError, match=f"{GONE} {objects}, which no longer holds it"):
        engine.check_data(start_empty=True, held=engine.stack.folders)
    engine.check_data(start_empty=True, held=["../what-it-used-before"])


def test_the_local_engine_must_check_the_recorded_folders(home: Path) -> None:
    found = plan(home)
    engine = open_engine(found.stack, found.paths, found.identity, {})
    folders(found).create()
    held = engine.data_folders()
    assert held == ("data/minio_data", "data/mlflow_data")
    engine.check_data(held=held)
    unmount(home.parent / "disk")
    with pytest.raises(EngineError, match=GONE):
        engine.check_data(held=held)


def test_a_dangling_link_to_a_folder_of_the_user_must_be_reported(tmp_path: Path) -> None:
    (tmp_path / "objects").symlink_to(tmp_path / "unplugged")
    engine = DockerEngine(stack(MINIO_VOLUME_PATH="objects"), StackPaths(tmp_path / ".env"))
    with pytest.raises(EngineError, match="which does not exist"):
        engine.check_data(start_empty=True)


def test_only_folders_with_the_id_must_be_recorded(tmp_path: Path) -> None:
    """A folder that this user may not write to has none, and could never be recognized again."""
    found = plan(tmp_path / "stack")
    up(found)
    (found.paths.local / "data" / "minio_data" / ".mlflow-compose").unlink()
    assert folders(found).marked == ("data/mlflow_data",)
    claim(found.paths.local / "data" / "minio_data", found.identity.id)
    assert folders(found).marked == ("data/minio_data", "data/mlflow_data")


def test_a_restore_must_not_fill_an_unmounted_disk_either(tmp_path: Path) -> None:
    """It starts the stack itself, if that does not run."""
    objects = tmp_path / "objects"
    objects.mkdir()
    found = plan(tmp_path, f"MINIO_VOLUME_PATH={objects}")
    up(found)
    unmount(objects)
    work = Work(found, lambda _: Disk(found), FakeScreen(), wait_timeout=5)
    with pytest.raises(EngineError, match=GONE):
        work.start(prove=False)
