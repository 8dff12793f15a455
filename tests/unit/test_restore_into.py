"""`restore --into`: where the snapshot comes from, and a new stack that can run beside the old."""

from dataclasses import replace
from pathlib import Path

import pytest
from dotenv import dotenv_values

from mlflow_compose.actions.restore_into import project_name, provide_stack, source_of
from mlflow_compose.data.backup import copy, find
from mlflow_compose.errors import FilesError, SnapshotError, UsageError
from mlflow_compose.result import NoProgress
from tests.unit.samples import env_text
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
    env_file, is_new = provide_stack(old, source, tmp_path / "copy", NoProgress())
    assert is_new
    found = dotenv_values(env_file)
    assert found["COMPOSE_PROJECT_NAME"] == "copy"
    ports = {port.variable: port.published for _, port in old.stack.ports}
    assert ports
    new = {name: int(str(found[name]).removeprefix(":")) for name in ports}
    assert set(new.values()).isdisjoint(ports.values())
    assert len({*new.values()}) == len(ports)
    before = env_file.read_bytes()
    assert provide_stack(old, source, tmp_path / "copy", NoProgress()) == (env_file, False)
    assert env_file.read_bytes() == before


def test_snapshots_must_be_found_by_name_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = plan(tmp_path)
    elsewhere = make(tmp_path / "disk", "monday")
    assert source_of(old, str(elsewhere.folder)) == str(elsewhere.folder)
    # A name means a snapshot of the stack, whatever is in the working directory.
    own = make(old.paths.backups, "tuesday")
    make(tmp_path, "tuesday")
    monkeypatch.chdir(tmp_path)
    assert source_of(old, "tuesday") == str(own.folder)
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


EXTERNAL = {"PG_HOST": "db.example.org", "MINIO_HOST": "s3.example.org", "MINIO_VOLUME_PATH": "/o"}


@pytest.mark.parametrize("name", EXTERNAL)
def test_a_new_stack_must_not_share_the_data_of_another(tmp_path: Path, name: str) -> None:
    old = plan(tmp_path)
    make(old.paths.backups, "first")
    shared = replace(old, environ={**old.environ, name: EXTERNAL[name]})
    with pytest.raises(UsageError, match=f"a new stack would use {name}"):
        provide_stack(shared, source_of(old, "first"), tmp_path / "copy", NoProgress())
    assert not (tmp_path / "copy" / ".env").exists()


def test_two_stacks_must_not_share_an_external_server(tmp_path: Path) -> None:
    old = plan(tmp_path).with_settings({"pg_host": "db.example.org"})
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / ".env").write_text(env_text("PG_HOST=db.example.org"), encoding="utf-8")
    with pytest.raises(UsageError, match="both stacks have their data in PG_HOST=db"):
        provide_stack(old, "any", tmp_path / "copy", NoProgress())


@pytest.mark.parametrize("folder", ["lab", "lab/backups/x", "lab/compose", "link"])
def test_the_stacks_own_folders_must_be_refused(tmp_path: Path, folder: str) -> None:
    old = plan(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "lab")
    with pytest.raises(UsageError, match="must be another folder"):
        provide_stack(old, "any", tmp_path / folder, NoProgress())


def test_the_data_of_a_stack_without_its_env_file_must_be_left_alone(tmp_path: Path) -> None:
    old = plan(tmp_path)
    (tmp_path / "copy" / ".mlflow-compose").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"there is no \.env next to it"):
        provide_stack(old, "any", tmp_path / "copy", NoProgress())


def test_a_new_stack_must_not_get_secrets_that_the_snapshots_author_knows(tmp_path: Path) -> None:
    old = plan(tmp_path)
    snapshot = make(old.paths.backups, "first")
    known = {"MLFLOW_ADMIN_PASSWORD": "known to others", "MLFLOW_FLASK_SERVER_SECRET_KEY": "known"}
    text = replace(snapshot.manifest, settings=known).text
    (snapshot.folder / "manifest.json").write_text(text, encoding="utf-8")
    env_file, _ = provide_stack(old, str(snapshot.folder), tmp_path / "copy", NoProgress())
    assert {*known.values()}.isdisjoint(dotenv_values(env_file).values())


def test_a_new_stack_must_not_get_the_seats_of_a_class_that_is_over(tmp_path: Path) -> None:
    old = plan(tmp_path)
    snapshot = make(old.paths.backups, "first")
    had = {"CLASS_MODE": "seats", "CLASS_SEATS": "ada=5201", "MLFLOW_AUTH": "basic"}
    text = replace(snapshot.manifest, settings=had).text
    (snapshot.folder / "manifest.json").write_text(text, encoding="utf-8")
    env_file, _ = provide_stack(old, str(snapshot.folder), tmp_path / "copy", NoProgress())
    found = dotenv_values(env_file)
    assert (found["CLASS_MODE"], found["CLASS_SEATS"]) == ("none", "")


@pytest.mark.parametrize("mode", [0o600, 0o420])
def test_what_others_may_change_must_be_copied(tmp_path: Path, mode: int) -> None:
    """A linked file changes in all snapshots that share it."""
    first = make(tmp_path / "one", "first", Memory(a=b"a"))
    content = next(path for path in first.folder.glob("objects/*/*"))
    content.chmod(mode)
    copied = copy(first, tmp_path / "two").folder / content.relative_to(first.folder)
    assert content.samefile(copied) is not bool(mode & 0o022)
