"""A folder that only its owner can read: what is written, kept and removed."""

import json
import os
import stat
from pathlib import Path

import pytest

from mlflow_compose.errors import FilesChangedError, FilesError
from mlflow_compose.render import File, private, remove_private, replace_file, write_private
from mlflow_compose.render.private import Written

FILES = {"all.html": "all", "ada/.env": "secret of ada", "ben/.env": "secret of ben"}


def modes(folder: Path) -> set[tuple[bool, str]]:
    """Return the modes of a folder and of everything in it, with whether they are a folder's."""
    found = [folder, *folder.rglob("*")]
    return {(one.is_dir(), oct(stat.S_IMODE(one.stat().st_mode))) for one in found}


def contents(folder: Path) -> dict[str, str]:
    found = (one for one in folder.rglob("*") if one.is_file() and one.name != ".manifest.json")
    return {one.relative_to(folder).as_posix(): one.read_text(encoding="utf-8") for one in found}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_must_be_able_to_read(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_private(FILES, tmp_path / "handouts")
    finally:
        os.umask(before)
    assert modes(tmp_path / "handouts") == {(True, "0o700"), (False, "0o600")}


def test_modes_that_were_changed_must_be_restored(tmp_path: Path) -> None:
    folder = tmp_path / "handouts"
    write_private(FILES, folder)
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)
    write_private(FILES, folder)
    assert modes(folder) == {(True, "0o700"), (False, "0o600")}


def test_files_of_an_earlier_call_must_be_removed_with_their_folders(tmp_path: Path) -> None:
    folder = tmp_path / "handouts"
    write_private(FILES, folder)
    kept = {path: text for path, text in FILES.items() if not path.startswith("ben/")}
    assert write_private(kept, folder) == Written((), ("ben/.env",))
    assert contents(folder) == kept
    assert not (folder / "ben").exists()
    assert write_private({**kept, "all.html": "two"}, folder) == Written(("all.html",), ())


def test_files_of_the_user_must_stay(tmp_path: Path) -> None:
    folder = tmp_path / "handouts"
    write_private(FILES, folder)
    (folder / "ben" / "notes.txt").write_text("mine", encoding="utf-8")
    write_private({}, folder)
    assert contents(folder) == {"ben/notes.txt": "mine"}
    assert remove_private(folder) == ()
    assert contents(folder) == {"ben/notes.txt": "mine"}


def test_a_folder_of_the_user_must_not_be_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    tmp_path.chmod(0o755)
    with pytest.raises(FilesError, match="is not empty"):
        write_private(FILES, tmp_path)
    assert contents(tmp_path) == {"thesis.txt": "mine"}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("files", [FILES, {"ben/.env": "secret of ben"}], ids=["kept", "stale"])
def test_an_edited_file_must_be_named_and_stay(files: dict[str, str], tmp_path: Path) -> None:
    write_private(FILES, tmp_path)
    (tmp_path / "ada" / ".env").write_text("edited", encoding="utf-8")
    with pytest.raises(FilesChangedError, match=r"ada/\.env was edited"):
        write_private(files, tmp_path)
    assert contents(tmp_path) == {**FILES, "ada/.env": "edited"}


def test_a_file_of_the_user_in_the_way_must_stay(tmp_path: Path) -> None:
    write_private({"all.html": "all"}, tmp_path)
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / ".env").write_text("mine", encoding="utf-8")
    with pytest.raises(FilesChangedError):
        write_private(FILES, tmp_path)
    assert (tmp_path / "ada" / ".env").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("link", ["ada", "ada/.env", "all.html"])
@pytest.mark.parametrize("files", [FILES, {}], ids=["written", "removed"])
def test_nothing_must_be_written_or_removed_through_a_link(
    link: str, files: dict[str, str], tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "handouts", tmp_path / "elsewhere"
    write_private(FILES, folder)
    (folder / link).rename(elsewhere)
    (folder / link).symlink_to(elsewhere)
    before = contents(tmp_path)
    with pytest.raises(FilesError, match="is a link"):
        write_private(files, folder)
    with pytest.raises(FilesError, match="is a link"):
        remove_private(folder)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("path", ["../mine", "/root/mine"])
def test_a_manifest_must_not_name_files_elsewhere(path: str, tmp_path: Path) -> None:
    folder = tmp_path / "handouts"
    write_private(FILES, folder)
    (tmp_path / "mine").touch()
    manifest = folder / ".manifest.json"
    found = json.loads(manifest.read_text(encoding="utf-8"))
    found["files"][path] = [next(iter(found["files"].values()))]
    manifest.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(FilesError, match="is damaged"):
        write_private({}, folder)
    assert (tmp_path / "mine").exists()


def test_an_interrupted_call_must_be_repeatable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk stops it after some files were replaced: they are not taken for edited ones."""
    folder = tmp_path / "handouts"
    write_private(FILES, folder)
    changed = {path: f"new {text}" for path, text in FILES.items()}

    def full_before_ben(path: Path, file: File) -> None:
        if path.parent.name == "ben":
            raise OSError(28, "No space left on device", str(path))
        replace_file(path, file)

    with monkeypatch.context() as patch:
        patch.setattr(private, "replace_file", full_before_ben)
        with pytest.raises(FilesError, match="No space left"):
            write_private(changed, folder)
    assert contents(folder) == {**changed, "ben/.env": FILES["ben/.env"]}
    write_private(changed, folder)
    assert contents(folder) == changed


def test_removing_must_leave_what_was_edited(tmp_path: Path) -> None:
    folder = tmp_path / "handouts"
    write_private(FILES, folder)
    (folder / "ada" / ".env").write_text("edited", encoding="utf-8")
    assert remove_private(folder) == ("ada/.env",)
    assert contents(folder) == {"ada/.env": "edited"}
    (folder / "ada" / ".env").write_text(FILES["ada/.env"], encoding="utf-8")
    assert remove_private(folder) == ()
    assert not folder.exists()
