"""The note in a data folder names its owner; planted files in its place are not trusted."""

import os
from pathlib import Path

import pytest

from mlflow_compose.engines.data_paths import NOTE
from mlflow_compose.engines.docker.data import claim_folders
from mlflow_compose.engines.ownership import check_claim, claim, owner_of
from mlflow_compose.errors import EngineError
from tests.unit.samples import IDENTITY, stack

OTHER = "f" * 16
SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "objects"
    found.mkdir()
    return found


def test_a_claimed_folder_must_name_its_owner(folder: Path) -> None:
    assert owner_of(folder) == ""
    claim(folder, IDENTITY)
    claim(folder, IDENTITY)
    assert owner_of(folder) == IDENTITY
    assert (folder / NOTE).read_text(encoding="ascii") == f"{IDENTITY}\n"


@pytest.mark.parametrize("content", [None, "", SECRET, f"{OTHER}\n"])
def test_a_planted_link_must_be_refused_and_not_followed(
    tmp_path: Path, folder: Path, content: str | None
) -> None:
    """Otherwise anyone with write access to a shared folder could overwrite or reveal any file."""
    target = tmp_path / "target"
    if content is not None:
        target.write_text(content, encoding="ascii")
    (folder / NOTE).symlink_to(target)
    with pytest.raises(EngineError, match=r"\.mlflow-compose is not from mlflow-compose"):
        claim(folder, IDENTITY)
    with pytest.raises(EngineError, match=r"\.mlflow-compose is not from mlflow-compose") as caught:
        check_claim(folder, stack(), "")
    assert SECRET not in str(caught.value)
    assert (target.read_text(encoding="ascii") if target.exists() else None) == content


@pytest.mark.parametrize("content", [SECRET, "0123", f"{IDENTITY}0", f"{IDENTITY} {OTHER}", "\xff"])
def test_only_a_valid_id_must_be_trusted_or_shown(folder: Path, content: str) -> None:
    (folder / NOTE).write_text(content, encoding="latin-1")
    with pytest.raises(EngineError, match="16 hexadecimal digits") as caught:
        owner_of(folder)
    assert content not in str(caught.value)
    assert (folder / NOTE).read_text(encoding="latin-1") == content


def test_only_the_start_of_a_note_must_be_read(folder: Path) -> None:
    with (folder / NOTE).open("wb") as stream:
        stream.truncate(1 << 24)
    with pytest.raises(EngineError, match="is not from mlflow-compose"):
        owner_of(folder)


def test_a_pipe_must_be_refused_and_not_block(folder: Path) -> None:
    os.mkfifo(folder / NOTE)
    with pytest.raises(EngineError, match="is not from mlflow-compose"):
        owner_of(folder)


def test_a_folder_instead_of_the_note_must_be_refused(folder: Path) -> None:
    (folder / NOTE).mkdir()
    with pytest.raises(EngineError, match="is not from mlflow-compose"):
        claim(folder, IDENTITY)


def test_a_note_left_empty_by_a_full_disk_must_be_written_again(folder: Path) -> None:
    (folder / NOTE).touch()
    assert owner_of(folder) == ""
    claim(folder, IDENTITY)
    assert owner_of(folder) == IDENTITY


def test_another_stacks_note_must_never_be_replaced(folder: Path) -> None:
    """A migration starts the new stack with a MINIO_VOLUME_PATH that was not checked before."""
    claim(folder, OTHER)
    with pytest.raises(EngineError, match="another stack"):
        claim_folders(stack(MINIO_VOLUME_PATH=str(folder)), folder.parent / "stack" / "compose")
    assert owner_of(folder) == OTHER
    claim(folder, IDENTITY, copied_from=OTHER)
    assert owner_of(folder) == IDENTITY
