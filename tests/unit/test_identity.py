"""A stack's id: the same after a move, different in a copy, one for each folder."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.identity import Identity, keep_identity, load_identity, read_id
from mlflow_compose.paths import StackPaths, stack_paths
from tests.unit.conftest import User


def create_stack(root: Path, name: str = ".env") -> str:
    """Create a stack's folder with an id, as `up` does; return the id."""
    root.mkdir(exist_ok=True)
    paths = StackPaths(root / name)
    paths.env_file.touch()
    identity = load_identity(paths)
    keep_identity(identity, paths)
    return identity.id


def load(root: Path, name: str = ".env") -> Identity:
    return load_identity(StackPaths(root / name))


def test_an_id_must_be_random_and_created_once(tmp_path: Path) -> None:
    first, second = create_stack(tmp_path / "a"), create_stack(tmp_path / "b")
    assert first != second
    assert len(first) == 16
    assert load(tmp_path / "a") == Identity(first)
    assert create_stack(tmp_path / "a") == first


def test_reading_a_stack_must_not_create_an_id(tmp_path: Path) -> None:
    assert load(tmp_path).id != load(tmp_path).id
    assert list(tmp_path.iterdir()) == []


def test_the_state_folder_must_be_closed_to_others_and_ignored_by_git(tmp_path: Path) -> None:
    create_stack(tmp_path)
    state = tmp_path / ".mlflow-compose"
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / ".gitignore").read_text(encoding="ascii") == "*\n"


def test_a_moved_stack_must_keep_its_id(tmp_path: Path) -> None:
    identity = create_stack(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert load(tmp_path / "b") == Identity(identity)


def test_a_moved_stack_must_keep_its_id_if_a_new_one_has_its_old_path(tmp_path: Path) -> None:
    identity = create_stack(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert create_stack(tmp_path / "a") != identity
    assert load(tmp_path / "b") == Identity(identity)


def test_a_stack_unpacked_elsewhere_must_be_a_copy_until_its_owner_says_otherwise(
    tmp_path: Path,
) -> None:
    """It may be a move to another disk or a copy of a moved folder, which look the same."""
    identity = create_stack(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "c")
    assert load(tmp_path / "b").copied_from == identity
    assert load(tmp_path / "c") == Identity(identity)
    (tmp_path / "b/.mlflow-compose/place.json").unlink()
    assert load(tmp_path / "b") == Identity(identity)


def test_a_stack_copied_back_to_its_place_must_be_the_original(tmp_path: Path) -> None:
    """For example after `mv stack stack.bak; cp -a stack.bak stack`."""
    identity = create_stack(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "a.bak")
    shutil.copytree(tmp_path / "a.bak", tmp_path / "a")
    assert load(tmp_path / "a") == Identity(identity)
    assert load(tmp_path / "a.bak").copied_from == identity


def test_a_copy_must_be_another_stack_whatever_its_inode(tmp_path: Path) -> None:
    """Inode numbers repeat on another disk, and snapshots preserve them."""
    identity = create_stack(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    place = tmp_path / "b/.mlflow-compose/place.json"
    found = json.loads(place.read_text(encoding="utf-8"))
    found["inode"] = (tmp_path / "b").stat().st_ino
    place.write_text(json.dumps(found), encoding="utf-8")
    assert load(tmp_path / "b").copied_from == identity


def test_a_copy_must_be_another_stack_if_the_original_is_not_accessible(tmp_path: Path) -> None:
    """For example because it belongs to another user."""
    identity = create_stack(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a/.mlflow-compose/id").write_text("unreadable", encoding="utf-8")
    assert load(tmp_path / "b").copied_from == identity


def test_a_copy_must_remember_its_original(tmp_path: Path) -> None:
    identity = create_stack(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    own = create_stack(tmp_path / "b")
    assert load(tmp_path / "b") == Identity(own, copied_from=identity)


@pytest.mark.parametrize("name", ["compose", "local", ".mlflow-compose"])
def test_rendered_files_must_not_be_behind_a_link(tmp_path: Path, name: str) -> None:
    """A copy of the folder would share them."""
    (tmp_path / "big").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "big")
    with pytest.raises(FilesError, match="is a link"):
        load(tmp_path)


def test_a_copy_must_be_another_stack(tmp_path: Path) -> None:
    identity = create_stack(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = load(tmp_path / "b")
    assert copy.copied_from == identity
    assert copy.id != identity
    assert create_stack(tmp_path / "b") != identity
    assert load(tmp_path / "a") == Identity(identity)


def test_a_copy_must_be_another_stack_also_when_the_original_moves(tmp_path: Path) -> None:
    identity = create_stack(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    own = create_stack(tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "c")
    assert (load(tmp_path / "b").id, load(tmp_path / "c").id) == (own, identity)


def test_a_second_env_file_in_the_folder_must_be_refused_by_name(tmp_path: Path) -> None:
    create_stack(tmp_path, "a.env")
    (tmp_path / "b.env").touch()
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "b.env")
    assert "the stack of a.env, so b.env cannot" in caught.value.message
    assert "separate folder" in (caught.value.hint or "")


def test_an_env_file_may_be_renamed(tmp_path: Path) -> None:
    identity = create_stack(tmp_path, "a.env")
    (tmp_path / "a.env").rename(tmp_path / "b.env")
    assert load(tmp_path, "b.env") == Identity(identity)


@pytest.mark.parametrize("text", ["", "x", "0123", "0123456789abcdeg", "../../../../etc"])
def test_an_invalid_id_must_be_refused(tmp_path: Path, text: str) -> None:
    create_stack(tmp_path)
    (tmp_path / ".mlflow-compose/id").write_text(text, encoding="utf-8")
    with pytest.raises(FilesError, match="16 hexadecimal digits"):
        read_id(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"env_file": 1}', "null"])
def test_an_id_must_be_valid_without_a_record_of_its_place(tmp_path: Path, text: str) -> None:
    """Someone who restores an id by hand only writes the id file."""
    identity = create_stack(tmp_path)
    (tmp_path / ".mlflow-compose/place.json").write_text(text, encoding="utf-8")
    assert load(tmp_path) == Identity(identity)


@pytest.mark.parametrize("typed", ["{home}/../home/.env", "../link/.env", "./.env", "{home}/alias"])
def test_an_env_file_must_be_the_same_stack_however_it_is_spelled(user: User, typed: str) -> None:
    user.has_env()
    (user.folder.parent / "link").symlink_to(user.folder)
    (user.folder / "alias").symlink_to(".env")
    path = Path(typed.format(home=user.folder))
    assert stack_paths(path) == stack_paths(Path(".env")) == StackPaths(user.env_file.resolve())


def test_the_owners_lines_next_to_the_id_must_stay(user: User) -> None:
    """Compose reads them from there for use in an override file."""
    user.has_env()
    user.types("render")
    file = user.folder / "compose/.env"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}TOKEN=mine\n", encoding="utf-8")
    assert user.types("render", "--check").code == 0
    user.types("render")
    assert file.read_text(encoding="utf-8") == f"{text}TOKEN=mine\n"
    file.write_text("STACK_IDENTITY=ffffffffffffffff\nTOKEN=mine\n", encoding="utf-8")
    assert "update  compose/.env" in user.types("render").out
    found = file.read_text(encoding="utf-8").splitlines()
    assert found == [text.splitlines()[-1], "TOKEN=mine"]


@pytest.mark.parametrize("path", ["../victim", "{home}/victim", "mlflow/../../victim"])
def test_a_manifest_must_not_contain_a_path_outside_its_folder(user: User, path: str) -> None:
    """It may come from a clone, and files in it that are no longer rendered are removed."""
    user.has_env()
    user.types("render")
    victim = user.folder / "victim"
    victim.write_text("precious", encoding="utf-8")
    manifest = user.folder / "compose/.manifest.json"
    found = json.loads(manifest.read_text(encoding="utf-8"))
    digest = hashlib.sha256(b"precious").hexdigest()
    found["files"][path.format(home=user.folder)] = [digest]
    manifest.write_text(json.dumps(found), encoding="utf-8")
    assert "is damaged" in user.types("render").err
    assert victim.exists()


def test_the_users_lines_and_mode_of_the_file_with_the_id_must_stay(user: User) -> None:
    """They may be in any encoding, and secrets of an override file."""
    user.has_env()
    user.types("render")
    file = user.folder / "compose/.env"
    own = file.read_bytes().splitlines(keepends=True)[-1]
    file.write_bytes(b"NAME=M\xfcller\r\nSTACK_IDENTITY=ffffffffffffffff\nTOKEN=\xff\xfe")
    file.chmod(0o600)
    assert user.types("render").code == 0
    assert file.read_bytes() == b"NAME=M\xfcller\r\n" + own + b"TOKEN=\xff\xfe"
    assert file.stat().st_mode & 0o777 == 0o600
    assert user.types("render", "--check").code == 0


def test_rendering_elsewhere_must_not_overwrite_an_env_file(user: User) -> None:
    """Compose requires the name `.env` for the file with the id, which is also the env file's."""
    user.has_env()
    before = user.env_file.read_bytes()
    output = user.types("render", "--output", ".")
    assert output.code == 1
    assert ".env exists already" in output.err
    assert user.env_file.read_bytes() == before
    assert not (user.folder / "docker-compose.yaml").exists()


def mlflow_env(user: User) -> str:
    """Render; return the content of MLflow's secret env file."""
    assert user.types("render").code == 0
    return (user.folder / "compose" / "secrets" / "mlflow_env").read_text(encoding="utf-8")


def test_keys_of_a_stack_without_a_database_password_must_be_generated_once(user: User) -> None:
    user.has_env("BACKEND_STORE=sqlite", without=["PG_PASSWORD"])
    first = mlflow_env(user)
    assert "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY=" in first
    key = user.folder / ".mlflow-compose" / "key"
    assert key.stat().st_mode & 0o077 == 0
    assert mlflow_env(user) == first
    assert user.types("render", "--check").code == 0
    # As when the data moves to PostgreSQL, including everything encrypted in it.
    user.has_env()
    assert mlflow_env(user) == first
    user.has_env("BACKEND_STORE=sqlite", without=["PG_PASSWORD"])
    assert mlflow_env(user) == first


@pytest.mark.parametrize("lost", ["the password", "the key"])
def test_a_stack_must_not_run_without_the_key_of_its_stored_secrets(user: User, lost: str) -> None:
    sqlite = "BACKEND_STORE=sqlite"
    user.has_env(sqlite, without=[] if lost == "the password" else ["PG_PASSWORD"])
    first = mlflow_env(user)
    (user.folder / ".mlflow-compose" / "key").unlink(missing_ok=True)
    user.has_env(sqlite, without=["PG_PASSWORD"])
    output = user.types("render")
    assert output.code == 2
    assert "and this stack's stored secrets are encrypted with it" in output.err
    assert user.types("config").code == 0
    if lost == "the key":
        # Another password would be as useless as a wrong one.
        user.has_env(sqlite)
        assert user.types("render").code == 2
    assert not (user.folder / ".mlflow-compose" / "key").exists()
    if lost == "the password":
        user.has_env(sqlite)
        assert mlflow_env(user) == first


@pytest.mark.parametrize("text", [b"", b"abc", b"\xff" * 64, b"0" * 63 + b"g"])
def test_an_invalid_key_must_be_refused(user: User, text: bytes) -> None:
    user.has_env("BACKEND_STORE=sqlite", without=["PG_PASSWORD"])
    mlflow_env(user)
    (user.folder / ".mlflow-compose" / "key").write_bytes(text)
    output = user.types("render")
    assert output.code == 1
    assert "key is not a stack's key, which is 64 hexadecimal digits" in output.err


def test_a_pipe_instead_of_the_place_record_must_not_block(user: User) -> None:
    user.has_env()
    (user.folder / ".mlflow-compose").mkdir()
    os.mkfifo(user.folder / ".mlflow-compose" / "place.json")
    assert user.types("render").code == 0


@pytest.mark.parametrize("name", ["id", "key"])
def test_a_pipe_instead_of_the_id_or_key_must_not_block(user: User, name: str) -> None:
    user.has_env()
    (user.folder / ".mlflow-compose").mkdir()
    os.mkfifo(user.folder / ".mlflow-compose" / name)
    output = user.types("config")
    assert output.code == 1
    assert f"{name} is not a file" in output.err


def test_a_key_must_not_be_shown(tmp_path: Path) -> None:
    identity = Identity("0123456789abcdef", is_new=True).with_key()
    assert identity.with_key() is identity
    assert identity.key not in repr(identity)
    keep_identity(identity, StackPaths(tmp_path / ".env"))
    assert load(tmp_path).key == identity.key


def neighbour(user: User) -> Path:
    """Make a second stack, rendered for both engines; return its folder."""
    folder = user.folder.parent / "neighbour"
    folder.mkdir()
    user.has_env()
    (folder / ".env").write_bytes(user.env_file.read_bytes())
    for target in ("compose", "local"):
        argv = ("--env-file", str(folder / ".env"), "render", "--target", target)
        assert user.types(*argv).code == 0
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", ["compose", "local"])
def test_the_files_of_another_stack_must_not_be_replaced(user: User, target: str) -> None:
    """`docker compose down -v`, typed there, would act on the wrong stack."""
    other = neighbour(user)
    before = contents(other)
    user.types("render")
    result = user.types("render", "--target", target, "--output", f"../neighbour/{target}")
    assert result.code == 1
    assert "of another stack" in result.err
    assert "hint: choose another folder" in result.err
    assert contents(other) == before


def test_a_copy_of_another_stacks_files_must_not_be_replaced(user: User) -> None:
    shutil.copytree(neighbour(user) / "compose", user.folder / "there")
    before = contents(user.folder / "there")
    assert user.types("render", "--output", "there").code == 1
    assert contents(user.folder / "there") == before


def test_a_copied_stack_must_get_its_own_id_in_its_own_folders(user: User) -> None:
    copy = user.folder.parent / "copy"
    shutil.copytree(neighbour(user), copy)
    for output in ((), ("--output", str(copy / "compose"))):
        assert user.types("--env-file", str(copy / ".env"), "render", *output).code == 0
        assert read_id(copy) in (copy / "compose/.env").read_text(encoding="utf-8")
