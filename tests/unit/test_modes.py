"""Permissions of files on disk, whatever the user's umask."""

import os
import stat
from pathlib import Path

import pytest

from mlflow_compose.cli.run import run
from tests.unit.conftest import User


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_containers_must_be_able_to_read_files_rendered_with_a_strict_umask(tmp_path: Path) -> None:
    """With umask 077, the bucket job's folder is still accessible to the job's user."""
    before = os.umask(0o077)
    try:
        assert run(["--env-file", str(tmp_path / ".env"), "init"]) == 0
        assert run(["--env-file", str(tmp_path / ".env"), "render"]) == 0
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in (".env", "compose/bucket-init", "compose/mlflow", "compose/secrets")
    }
    assert modes == {
        ".env": 0o600,
        "compose/bucket-init": 0o755,
        "compose/mlflow": 0o755,
        "compose/secrets": 0o700,
    }
    assert all(
        stat.S_IMODE(file.stat().st_mode) == 0o444
        for file in (tmp_path / "compose/secrets").iterdir()
        if file.name != ".manifest.json"
    )


@pytest.mark.parametrize("chosen", [0o700, 0o750, 0o1777])
@pytest.mark.parametrize("target", ["compose", "local"])
def test_the_mode_of_an_existing_folder_must_stay(user: User, target: str, chosen: int) -> None:
    """For example /tmp, which others could not use with another mode."""
    folder = user.folder / "there"
    folder.mkdir()
    folder.chmod(chosen)
    for port in ("5001", "5002"):
        user.has_env(f"MLFLOW_PORT={port}")
        assert user.types("render", "--target", target, "--output", "there").code == 0
        assert mode(folder) == chosen
    assert mode(folder / "secrets") == 0o700


@pytest.mark.parametrize("target", ["compose", "local"])
def test_a_folder_that_its_owner_closed_must_stay_closed(user: User, target: str) -> None:
    user.has_env()
    user.types("render", "--target", target)
    (user.folder / target).chmod(0o700)
    user.has_env("MLFLOW_PORT=5001")
    assert user.types("render", "--target", target).code == 0
    assert mode(user.folder / target) == 0o700


def test_folders_that_containers_read_must_be_opened_again(user: User) -> None:
    """As after a copy of the stack with umask 077."""
    user.has_env()
    user.types("render")
    (user.folder / "compose" / "bucket-init").chmod(0o700)
    (user.folder / "compose" / "secrets").chmod(0o755)
    user.types("render")
    assert mode(user.folder / "compose" / "bucket-init") == 0o755
    assert mode(user.folder / "compose" / "secrets") == 0o700


def test_a_foreign_folder_among_ours_must_keep_its_mode(user: User) -> None:
    user.has_env()
    there = user.folder / "there" / "bucket-init"
    there.mkdir(parents=True)
    there.chmod(0o2770)
    assert user.types("render", "--output", "there").code == 0
    assert mode(there) == 0o2770


@pytest.mark.parametrize("target", ["compose", "local"])
def test_secrets_must_not_go_into_an_open_folder_of_the_user(user: User, target: str) -> None:
    """They would be readable by everyone, and closing it would lock out those who use it."""
    user.has_env()
    folder = user.folder / "there" / "secrets"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "diary").touch()
    result = user.types("render", "--target", target, "--output", "there")
    assert result.code == 1
    assert "there/secrets" in result.err
    assert mode(folder) == 0o755
    assert [path.name for path in folder.iterdir()] == ["diary"]
    folder.chmod(0o700)
    assert user.types("render", "--target", target, "--output", "there").code == 0
    assert mode(folder) == 0o700
