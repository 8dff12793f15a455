"""`init` creates a valid `.env`, and never changes an existing one."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from mlflow_compose.paths import StackPaths
from mlflow_compose.record import Record, write_record
from mlflow_compose.settings.envfile import parse
from tests.unit.conftest import User
from tests.unit.samples import SECRETS


def values(user: User) -> dict[str, str]:
    return dict(parse(user.env_file.read_text(encoding="utf-8")).values)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_must_have_access_to_the_new_file(user: User, umask: int) -> None:
    old = os.umask(umask)
    try:
        result = user.types("init")
    finally:
        os.umask(old)
    assert (result.code, result.err) == (0, "")
    assert stat.S_IMODE(user.env_file.stat().st_mode) == 0o600


def test_the_new_file_must_be_ready_for_use(user: User) -> None:
    user.types("init")
    assert user.types("config").code == 0
    assert user.types("render").code == 0


def test_no_secret_must_be_generated_twice(user: User) -> None:
    drawn: list[str] = []
    for number in range(3):
        name = f"{number}.env"
        user.types("init", "--env-file", name)
        found = parse((user.folder / name).read_text(encoding="utf-8")).values
        drawn += [found[secret] for secret in SECRETS]
    assert len(set(drawn)) == len(drawn) == 3 * len(SECRETS)
    assert min(map(len, drawn)) >= 20
    assert max(map(len, drawn)) <= 40


def test_no_secret_must_be_printed(user: User) -> None:
    result = user.types("init")
    again = user.types("init", "--json", "--env-file", "other.env")
    for secret in SECRETS:
        assert values(user)[secret] not in result.out + result.err
    assert json.loads(again.out)["data"] == {"env_file": "other.env"}


def test_an_existing_file_must_not_be_changed(user: User) -> None:
    user.env_file.write_text("mine", encoding="utf-8")
    user.env_file.chmod(0o640)
    result = user.types("init", "--set", "MLFLOW_PORT=5001")
    assert result.code == 2
    assert result.err.startswith("error: .env already exists and was not changed\nhint: ")
    assert user.env_file.read_text(encoding="utf-8") == "mine"
    assert stat.S_IMODE(user.env_file.stat().st_mode) == 0o640


def test_a_dangling_link_must_not_be_followed(user: User) -> None:
    user.env_file.symlink_to(user.folder / "elsewhere")
    result = user.types("init")
    assert result.code == 2
    assert "already exists" in result.err
    assert not (user.folder / "elsewhere").exists()
    assert user.env_file.is_symlink()


def test_a_folder_of_that_name_must_not_be_changed(user: User) -> None:
    user.env_file.mkdir()
    assert user.types("init").code == 2


def test_a_partially_written_file_must_be_removed(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, the next `init` would fail."""

    def full(handle: int, mode: str) -> None:
        del mode
        os.close(handle)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", full)
        result = user.types("init")
    assert result.code == 2
    assert "No space left on device" in result.err
    assert not user.env_file.exists()
    assert user.types("init").code == 0


def test_a_missing_folder_must_be_named(user: User) -> None:
    result = user.types("init", "--env-file", "missing/.env")
    assert result.code == 2
    assert "missing/.env cannot be written: No such file or directory" in result.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_PORT", "5001"),
        ("PG_PASSWORD", "p@ss w'or$d\"\\#%=é漢"),
        ("MINIO_ROOT_PASSWORD", "ends with \\"),
        ("PG_DATABASE", "it's $HOME #1"),
        ("MINIO_CONSOLE_ADDRESS", ""),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "two\nlines"),
        ("MY_OWN", " spaces "),
        ("MY_OWN", "a=b=c"),
        ("MY_OWN", "'"),
        ("MY_OWN", '"'),
        ("MY_OWN", "# no comment"),
    ],
)
def test_a_given_value_must_be_written_unchanged(user: User, name: str, value: str) -> None:
    result = user.types("init", "--set", f"{name}={value}")
    assert (result.code, result.err) == (0, "")
    assert values(user)[name] == value
    assert user.types("config").code == 0


def test_a_given_secret_must_be_written_and_not_printed(user: User) -> None:
    result = user.types("init", "--set", "PG_PASSWORD=hunter2", "--set=MLFLOW_WORKERS=3")
    assert values(user)["PG_PASSWORD"] == "hunter2"
    assert values(user)["MLFLOW_WORKERS"] == "3"
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("MLFLOW_PORT", "--set takes NAME=VALUE, got MLFLOW_PORT"),
        ("=5001", "--set takes NAME=VALUE, got"),
        ("", "--set takes NAME=VALUE, got"),
        ("#MLFLOW_PORT=5001", "--set takes NAME=VALUE"),
        ("MLFLOW PORT=5001", "--set takes NAME=VALUE"),
        ("MLFLOW\nPORT=5001", "--set takes NAME=VALUE"),
        ("'MLFLOW_PORT=5001", "--set takes NAME=VALUE"),
        ("MLFLOW_PORT=0", "MLFLOW_PORT  must be a whole number between 1 and 65535, got 0"),
        ("MLFLOW_BUKET_NAME=x", "did you mean MLFLOW_BUCKET_NAME?"),
        ("PG_PASSWORD=", "PG_PASSWORD  must not be empty"),
        ("MINIO_PORT=5000", "MINIO_PORT  must differ from MLFLOW_PORT"),
        ("BUILD_CA_CERTS=missing.pem", "must be an existing file"),
        ("MLFLOW_AUTH_CONFIG_PATH=x", "set MLFLOW_AUTH instead"),
        ("MY_OWN=\udcff", "UTF-8"),
    ],
)
def test_an_invalid_value_must_be_rejected_and_nothing_written(
    user: User, argument: str, message: str
) -> None:
    result = user.types("init", "--set", argument)
    assert result.code == 2
    assert message in result.err
    assert list(user.folder.iterdir()) == []


def test_the_new_file_must_not_depend_on_the_environment(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "not a port")
    assert user.types("init").code == 0
    assert "not a port" not in user.env_file.read_text(encoding="utf-8")


def test_the_next_command_must_be_shown_with_the_env_file(user: User) -> None:
    assert "next: mlflow-compose up\n" in user.types("init").out
    output = user.types("init", "--env-file", "class.env").out
    assert "next: mlflow-compose --env-file=class.env up\n" in output


def test_a_stack_must_be_beside_its_env_file(user: User) -> None:
    (user.folder / "seat").mkdir()
    user.types("init", "--env-file", "seat/.env")
    user.types("render", "--env-file", "seat/.env")
    assert (user.folder / "seat/compose/docker-compose.yaml").is_file()
    assert not Path("compose").exists()


def test_new_passwords_must_not_replace_those_that_open_the_data(user: User) -> None:
    """Who deletes .env by mistake would lose what the rendered files still have."""
    paths = StackPaths(user.env_file)
    paths.state.mkdir()
    write_record(Record().started("docker", {"BACKEND_STORE": "postgres"}, ()), paths)
    for command in (("init",), ("class", "create", "--seats", "1")):
        found = user.types(*command)
        assert found.code != 0
        assert "new passwords would not open" in found.err
        assert "compose/secrets" in found.err
        assert not user.env_file.exists()
    write_record(Record(), paths)
    assert user.types("init").code == 0
