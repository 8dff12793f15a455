"""Data folders: each belongs to one stack, and exactly its folders are deleted."""

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose.engines.local import folders
from mlflow_compose.engines.local.availability import check_data
from mlflow_compose.engines.local.folders import Folders
from mlflow_compose.engines.local.mounts import mount_points
from mlflow_compose.engines.ownership import TAKE_OVER, claim
from mlflow_compose.errors import EngineError
from mlflow_compose.identity import Identity, keep_identity, load_identity
from mlflow_compose.paths import StackPaths, write_state
from mlflow_compose.stack import Stack, known_volumes
from tests.unit.samples import IDENTITY, MACHINE, local_stack

OTHER = "f" * 16
NOTE = ".mlflow-compose"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "stack" / "local"
    folder.mkdir(parents=True)
    return folder


def created_folders(folder: Path, stack: Stack | None = None) -> Folders:
    found = Folders(stack or local_stack(), folder)
    found.create()
    for path in found.used:
        (path / "content").write_text(path.name, encoding="utf-8")
    return found


def other(folder: Path) -> Folders:
    """Return the folders of another stack."""
    return Folders(replace(local_stack(), identity=OTHER), folder)


def big(tmp_path: Path, home: Path, name: str = "minio_data") -> Path:
    """Move a data folder to a larger disk and link to it, as users do; return the disk."""
    disk = tmp_path / "big"
    disk.mkdir()
    (disk / "thesis.tex").write_text("years", encoding="utf-8")
    (home / "data" / name).rename(disk / name)
    (home / "data" / name).symlink_to(disk / name)
    return disk


def test_each_folder_must_record_its_owner(home: Path) -> None:
    for path in created_folders(home).used:
        assert (path / NOTE).read_text(encoding="ascii") == f"{IDENTITY}\n"


def test_exactly_the_folders_of_the_stack_must_be_deleted(home: Path) -> None:
    data = created_folders(home)
    (home / "data" / "mine").mkdir()
    assert data.remove(known_volumes(), ()) == []
    assert [path.name for path in (home / "data").iterdir()] == ["mine"]


def test_nothing_behind_a_link_must_be_deleted(tmp_path: Path, home: Path) -> None:
    data = created_folders(home)
    disk = big(tmp_path, home)
    data.create()
    assert data.remove(known_volumes(), ()) == [str(disk / "minio_data")]
    assert sorted(path.name for path in disk.iterdir()) == ["minio_data", "thesis.tex"]
    assert (disk / "minio_data" / "content").exists()
    assert not (home / "data" / "minio_data").is_symlink()


def test_a_link_to_another_stacks_data_must_be_refused(tmp_path: Path, home: Path) -> None:
    """As in a copy of a stack, whose link points to the original's data."""
    created_folders(home)
    disk = big(tmp_path, home)
    copy = tmp_path / "copy" / "local"
    shutil.copytree(home, copy, symlinks=True)
    with pytest.raises(EngineError, match="holds the data of another stack") as caught:
        replace(other(copy), copied_from=IDENTITY).create()
    assert "removes the link, and not the data" in (caught.value.hint or "")
    assert TAKE_OVER in (caught.value.hint or "")
    assert (disk / "minio_data" / NOTE).read_text(encoding="ascii") == f"{IDENTITY}\n"


def test_a_dangling_link_must_be_reported_and_not_replaced(tmp_path: Path, home: Path) -> None:
    data = created_folders(home)
    disk = big(tmp_path, home)
    disk.rename(tmp_path / "unplugged")
    with pytest.raises(EngineError, match="which does not exist") as caught:
        data.check()
    assert str(disk / "minio_data") in caught.value.message
    assert not disk.exists()


def test_a_dangling_link_to_all_data_must_be_reported(tmp_path: Path, home: Path) -> None:
    disk = tmp_path / "unplugged"
    (home / "data").symlink_to(disk)
    data = Folders(local_stack(), home)
    for call in (data.check, data.create):
        with pytest.raises(EngineError, match="which does not exist") as caught:
            call()
        assert caught.value.message.startswith(f"{home / 'data'} points to {disk}")
    assert not disk.exists()


def test_a_file_instead_of_a_data_folder_must_be_reported(home: Path) -> None:
    (home / "data").touch()
    with pytest.raises(EngineError, match="data must be a folder"):
        Folders(local_stack(), home).create()


def test_a_copy_must_own_its_copied_data(tmp_path: Path, home: Path) -> None:
    created_folders(home)
    copy = tmp_path / "copy" / "local"
    shutil.copytree(home, copy)
    found = replace(other(copy), copied_from=IDENTITY)
    found.create()
    assert {(path / NOTE).read_text(encoding="ascii") for path in found.used} == {f"{OTHER}\n"}
    assert {(path / "content").exists() for path in found.used} == {True}


def test_a_copy_may_delete_its_copied_data_before_it_was_started(
    tmp_path: Path, home: Path
) -> None:
    created_folders(home)
    copy = tmp_path / "copy" / "local"
    shutil.copytree(home, copy)
    replace(other(copy), copied_from=IDENTITY).remove(known_volumes(), ())
    assert list((copy / "data").iterdir()) == []
    assert len(list((home / "data").iterdir())) == len(local_stack().volumes)


def test_a_link_above_the_data_must_count_as_a_link(tmp_path: Path, home: Path) -> None:
    """As with `local/data` on a larger disk: a copy has the same link to the original's data."""
    created_folders(home)
    disk = tmp_path / "big"
    (home / "data").rename(disk)
    (home / "data").symlink_to(disk)
    copy = tmp_path / "copy" / "local"
    shutil.copytree(home, copy, symlinks=True)
    found = replace(other(copy), copied_from=IDENTITY)
    with pytest.raises(EngineError, match="holds the data of another stack"):
        found.create()
    kept = found.remove(known_volumes(), ())
    assert kept == [str(disk / name) for name in sorted(local_stack().volumes)]
    assert {(disk / name / "content").exists() for name in local_stack().volumes} == {True}


def test_data_that_another_stack_claimed_must_be_refused_also_without_a_link(home: Path) -> None:
    """As behind a mount, which cannot be detected."""
    data = created_folders(home)
    (home / "data" / "minio_data" / NOTE).write_text(f"{OTHER}\n", encoding="ascii")
    with pytest.raises(EngineError, match="holds the data of another stack") as caught:
        data.create()
    assert TAKE_OVER in (caught.value.hint or "")
    assert (home / "data" / "minio_data" / NOTE).read_text(encoding="ascii") == f"{OTHER}\n"


@pytest.mark.parametrize(
    "path", [".", "..", "local/data/minio_data", "compose/objects", ".mlflow-compose", "/"]
)
def test_a_folder_of_the_user_must_be_separate_from_the_stacks(home: Path, path: str) -> None:
    """Otherwise S3 would serve the stack's files, or `down --volumes` delete the user's."""
    stack = local_stack(MINIO_VOLUME_PATH=path)
    with pytest.raises(EngineError, match="outside of the stack's folders"):
        check_data(stack, home)


def test_another_stacks_folder_must_not_be_deleted(home: Path) -> None:
    data = created_folders(home)
    (home / "data" / "minio_data" / NOTE).write_text(f"{OTHER}\n", encoding="ascii")
    with pytest.raises(EngineError, match="so nothing was deleted") as caught:
        data.remove(known_volumes(), ())
    assert TAKE_OVER in (caught.value.hint or "")
    assert len(data.existing) == len(data.used)


@pytest.mark.parametrize("below", [".", "datasets/images"])
def test_data_with_something_mounted_in_it_must_not_be_deleted(home: Path, below: str) -> None:
    """Neither that folder nor the others: unmounting would come too late for them."""
    data = created_folders(home)
    disk = home / "data" / "minio_data" / below
    disk.mkdir(parents=True, exist_ok=True)
    with pytest.raises(EngineError, match="so nothing was deleted") as caught:
        data.remove(known_volumes(), [Path("/"), home / "data", disk])
    assert f"mounted at {disk}, so" in caught.value.message
    assert f"umount {disk} " in (caught.value.hint or "")
    assert {(path / "content").exists() for path in data.used} == {True}


def test_a_disk_that_holds_all_data_or_other_files_must_not_prevent_deleting(home: Path) -> None:
    """As `local/data` on a larger disk."""
    data = created_folders(home)
    mounts = [Path("/"), home, home / "data", home / "data" / "mine", home / "data" / "minio"]
    assert data.remove(known_volumes(), mounts) == []
    assert data.existing == ()


def test_what_cannot_be_deleted_must_be_named_by_its_full_path(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a folder that something was mounted at meanwhile: the error has its name only."""
    data = created_folders(home)

    def busy(path: Path) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path.name[-4:])

    monkeypatch.setattr(shutil, "rmtree", busy)
    with pytest.raises(EngineError, match="cannot be deleted completely: data: ") as caught:
        data.remove(known_volumes(), ())
    assert caught.value.message.startswith(str(data.existing[0]))


def test_every_mount_of_the_machine_must_be_known(tmp_path: Path) -> None:
    """Folders that are mounted elsewhere on the same disk, too, whatever their names."""
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "97 26 254:0 /home/b /home/it\\040is\\011a\\134disk rw master:2 - ext4 /dev/vda rw\n",
        encoding="ascii",
    )
    assert mount_points(mountinfo) == {Path("/"), Path("/home/it is\ta\\disk")}


def test_mounts_must_be_known_on_systems_without_linuxs_list(tmp_path: Path) -> None:
    assert Path("/") in mount_points(tmp_path / "missing")


def test_a_folder_without_an_id_must_only_be_deleted_if_the_stack_uses_it(home: Path) -> None:
    """Services may be started without the tool, or by a version that wrote no ids."""
    data = created_folders(home)
    own, mine = home / "data" / "postgres_data", home / "data" / "rclone_data"
    (own / NOTE).unlink()
    mine.mkdir()
    (mine / "thesis.tex").write_text("years", encoding="utf-8")
    assert data.unmarked(known_volumes()) == (mine,)
    assert mine not in data.chosen(known_volumes())
    assert data.remove(known_volumes(), ()) == []
    assert [path.name for path in data.existing] == ["rclone_data"]
    assert (mine / "thesis.tex").exists()
    claim(mine, IDENTITY)
    assert data.unmarked(known_volumes()) == ()
    data.remove(known_volumes(), ())
    assert not data.existing


@pytest.mark.parametrize(
    ("outside", "unmarked", "sentence"),
    [
        ([], [], ""),
        (["/big/a"], [], "/big/a is outside of the stack's folder and was kept; delete it by hand"),
        ([], [Path("/b")], "/b does not carry the stack's id and was kept"),
    ],
)
def test_folders_that_were_kept_must_be_named(
    outside: list[str], unmarked: list[Path], sentence: str
) -> None:
    assert folders.describe_kept(outside, unmarked) == sentence


def test_two_stacks_must_not_share_a_folder_of_the_user(tmp_path: Path, home: Path) -> None:
    objects = tmp_path / "objects"
    objects.mkdir()
    stack = local_stack(MINIO_VOLUME_PATH=str(objects))
    Folders(stack, home).claim_shared()
    Folders(stack, home).check()
    with pytest.raises(EngineError, match="another stack") as caught:
        Folders(replace(stack, identity=OTHER), home).check()
    assert "MINIO_VOLUME_PATH" in (caught.value.hint or "")
    assert TAKE_OVER in (caught.value.hint or "")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of root's databases."""
    found = tmp_path / "var" / "lib"
    monkeypatch.setattr(folders, "STATE", found)
    return found


ROOTS = replace(MACHINE, database_user="somebody")


def test_roots_database_must_be_deleted_exactly(home: Path, state: Path) -> None:
    data = created_folders(home, local_stack(ROOTS))
    neighbour = state / "0123" / "postgres_data"
    neighbour.mkdir(parents=True)
    link = home / "data" / "postgres_data"
    place = link.resolve()
    assert place.parent.parent == state
    assert data.remove(known_volumes(), ()) == []
    assert not place.parent.exists()
    assert not link.is_symlink()
    assert neighbour.is_dir()


def test_a_renamed_stack_of_root_must_keep_its_database(
    tmp_path: Path, home: Path, state: Path
) -> None:
    """Even if a new stack has the old name now."""
    created_folders(home, local_stack(ROOTS))
    place = (home / "data" / "postgres_data").resolve()
    renamed = tmp_path / "renamed"
    home.parent.rename(renamed)
    home.mkdir(parents=True)
    new = Folders(replace(local_stack(ROOTS), identity=OTHER), home)
    new.create()
    Folders(local_stack(ROOTS), renamed / "local").create()
    assert (renamed / "local/data/postgres_data").resolve() == place
    new.remove(known_volumes(), ())
    assert (place / "content").exists()
    assert [path.parent for path in state.glob("*/postgres_data")] == [place.parent]


def test_a_copy_of_roots_stack_must_not_delete_the_originals_database(
    tmp_path: Path, home: Path, state: Path
) -> None:
    created_folders(home, local_stack(ROOTS))
    copy = tmp_path / "copy" / "local"
    shutil.copytree(home, copy, symlinks=True)
    place = (home / "data" / "postgres_data").resolve()
    found = Folders(replace(local_stack(ROOTS), identity=OTHER), copy, copied_from=IDENTITY)
    assert found.remove(known_volumes(), ()) == [str(place)]
    assert (place / "content").exists()
    assert list(state.iterdir()) == [place.parent]


def test_a_stack_that_lost_its_id_must_get_a_hint_how_to_recover_its_data(
    tmp_path: Path, home: Path, state: Path
) -> None:
    """Also for a stack from another disk: following the hint must give the data back."""
    paths = StackPaths(tmp_path / "stack" / ".env")
    keep_identity(Identity(IDENTITY), paths)
    created_folders(home, local_stack(ROOTS))
    assert state.is_dir()
    shutil.rmtree(paths.state)
    lost = Folders(replace(local_stack(ROOTS), identity=load_identity(paths).id), home)
    with pytest.raises(EngineError, match=f"id {IDENTITY}") as caught:
        lost.check()
    assert TAKE_OVER in (caught.value.hint or "")
    write_state(paths, "id", f"{IDENTITY}\n")
    found = replace(local_stack(ROOTS), identity=load_identity(paths).id)
    Folders(found, home).create()
