"""`restore --into`: where the snapshot comes from, and a new stack that can run beside the old."""

from pathlib import Path

import pytest
from dotenv import dotenv_values

from mlflow_compose.actions.restore_into import project_name, provide_stack, source_of
from mlflow_compose.data.backup import copy, find
from mlflow_compose.errors import FilesError, SnapshotError, UsageError
from mlflow_compose.result import NoProgress
from tests.unit.test_boot import plan
from tests.unit.test_snapshots import Memory, make


@pytest.mark.parametrize(
    ("folder", "name"),
    [("copy", "copy"), ("A Copy.2", "a-copy-2"), ("_x-", "x"), ("漢字", "mlflow-copy")],
)
def test_a_new_stack_must_be_called_after_its_folder(folder: str, name: str) -> None:
    assert project_name(folder) == name


def test_a_new_stack_must_be_able_to_run_beside_the_old_one(tmp_path: Path) -> None:
    old = plan(tmp_path)
    snapshot = make(old.paths.backups, "first", Memory(a=b"a"))
    source = source_of(old, "first")
    assert source == str(snapshot.folder)
    env_file = provide_stack(old, source, tmp_path / "copy", NoProgress())
    found = dotenv_values(env_file)
    assert found["COMPOSE_PROJECT_NAME"] == "copy"
    ports = {port.variable: port.published for _, port in old.stack.ports}
    assert ports
    new = {name: int(str(found[name]).removeprefix(":")) for name in ports}
    assert set(new.values()).isdisjoint(ports.values())
    assert len({*new.values()}) == len(ports)
    before = env_file.read_bytes()
    assert provide_stack(old, source, tmp_path / "copy", NoProgress()) == env_file
    assert env_file.read_bytes() == before


def test_snapshots_must_be_found_by_name_and_by_path(tmp_path: Path) -> None:
    old = plan(tmp_path)
    elsewhere = make(tmp_path / "disk", "monday")
    assert source_of(old, str(elsewhere.folder)) == str(elsewhere.folder)
    assert source_of(old, "s3://bucket/monday") == "s3://bucket/monday"
    for name in ("monday", "monday.tar"):
        with pytest.raises(SnapshotError, match=f"there is no .* {name}"):
            source_of(old, name)


def test_a_stack_that_cannot_be_created_must_be_said(tmp_path: Path) -> None:
    old = plan(tmp_path)
    with pytest.raises(UsageError, match="there is no stack in"):
        provide_stack(old, "s3://bucket/monday", tmp_path / "copy", NoProgress())
    (tmp_path / "file").touch()
    with pytest.raises(FilesError, match="cannot be created"):
        provide_stack(old, "monday", tmp_path / "file" / "copy", NoProgress())


def test_a_copy_must_share_contents_and_be_taken_once(tmp_path: Path) -> None:
    first = make(tmp_path / "one", "first", Memory(a=b"a", b=b"b"))
    copied = copy(first, tmp_path / "two")
    assert copied.manifest == first.manifest
    assert copy(first, tmp_path / "two") == copied
    paths = [path.relative_to(first.folder) for path in first.folder.rglob("*")]
    for path in (path for path in paths if (first.folder / path).is_file()):
        one, two = first.folder / path, copied.folder / path
        assert one.read_bytes() == two.read_bytes()
        assert one.samefile(two) is ("objects" in path.parts)
    make(tmp_path / "three", "first", Memory(c=b"c"))
    with pytest.raises(SnapshotError, match="is another snapshot"):
        copy(find(tmp_path / "three", "first"), tmp_path / "two")


@pytest.mark.parametrize("where", ["database.sqlite", "objects"])
def test_links_must_not_be_followed(tmp_path: Path, where: str) -> None:
    first = make(tmp_path / "one", "first", Memory(a=b"a"))
    path = first.folder / where
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(SnapshotError, match=where):
        copy(first, tmp_path / "two")
    assert [*(tmp_path / "two").iterdir()] == []
