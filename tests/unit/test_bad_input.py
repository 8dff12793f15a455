"""Every mistake in `.env` must cause an error with a hint, never a traceback.

`User.types` runs the command in this process, so an unexpected exception fails the test.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.conftest import Output, User
from tests.unit.samples import SECRETS, env_text

# Secrets that are only needed with a setting.
OPTIONAL = frozenset(
    {
        "MLFLOW_ADMIN_PASSWORD",
        "JUPYTER_TOKEN",
        "PGADMIN_PASSWORD",
        "CLASS_SECRET",
        "CLASS_PASSWORD",
    }
)
# First line after those of the secrets.
NEXT = len(SECRETS) + 1
LIST_HINT = "hint: mlflow-compose config --list shows every setting\n"


def refused(user: User, *messages: str, hint: str = LIST_HINT) -> Output:
    """Render; check that the error contains these texts and nothing was written."""
    result = user.types("render")
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    for text in messages:
        assert text in result.err
    assert result.err.endswith(hint)
    assert not (user.folder / "compose").exists()
    return result


def test_a_misspelled_variable_must_be_rejected_with_a_suggestion(user: User) -> None:
    user.has_env("MLFLOW_BUKET_NAME=data")
    refused(
        user,
        "error: 1 setting in .env is wrong\n",
        "MLFLOW_BUKET_NAME  is not a setting; did you mean MLFLOW_BUCKET_NAME?\n",
    )


def test_an_unknown_variable_without_a_similar_one_must_be_rejected_without_a_suggestion(
    user: User,
) -> None:
    user.has_env("STACK_ZZZZ=1")
    result = refused(user, "STACK_ZZZZ  is not a setting\n")
    assert "did you mean" not in result.err


@pytest.mark.parametrize(
    ("path", "why"),
    [("a" * 300, "File name too long"), ("none.pem", "must be an existing file")],
)
def test_an_unreadable_certificate_file_must_be_reported(user: User, path: str, why: str) -> None:
    user.has_env(f"BUILD_CA_CERTS={path}")
    refused(user, "BUILD_CA_CERTS  must be a", why)


@pytest.mark.parametrize("name", ["STACK_ENGINE", "PG_DATABASE", "MLFLOW_PORT", "PG_PASSWORD"])
def test_bytes_that_are_not_valid_utf_8_must_be_rejected(
    user: User, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.has_env()
    monkeypatch.setenv(name, os.fsdecode(b"local\xff"))
    refused(user, f"{name}  must be ", "(from the environment)")


def test_a_value_must_not_break_or_flood_the_error_message(user: User) -> None:
    user.has_env(f"MLFLOW_PORT='1\n2\x1b[31m'\nMLFLOW_WORKERS={'9' * 200_000}")
    result = refused(user, "got 1\\n2\\x1b[31m\n", "more characters) …")
    assert len(result.err) < 1000


def test_a_name_must_not_flood_the_error_message(user: User) -> None:
    user.has_env(f"MLFLOW_{'A' * 200_000}=1")
    assert len(refused(user, "is not a setting").err) < 1000


def test_the_other_lines_of_a_wrapped_secret_must_not_be_shown(user: User) -> None:
    lines = [f"MLFLOW_FLASK_SERVER_SECRET_KEY={'c2Vj' * 16}", "LW1=", "LW1pbmUtYW5k"]
    user.has_env(*lines)
    first = f"line {NEXT + 1}"
    result = refused(
        user, first, "this line looks like the end", f"line {NEXT + 2}", "has no value"
    )
    assert not any(piece in result.err for piece in ("c2Vj", "LW1"))


def test_a_setting_in_lower_case_must_be_rejected(user: User) -> None:
    user.has_env("mlflow_port=5001")
    refused(user, "mlflow_port  is not a setting; did you mean MLFLOW_PORT?")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("MLFLOW_PORT=five", "must be a whole number between 1 and 65535, got five"),
        ("MLFLOW_PORT=5000.0", "must be a whole number between 1 and 65535, got 5000.0"),
        ("MLFLOW_PORT=", "must be a whole number between 1 and 65535, got an empty value"),
        ("MLFLOW_WORKERS=0", "must be a whole number between 1 and 64, got 0"),
        ("MLFLOW_JOBS=perhaps", "must be true or false, got perhaps"),
        ("MLFLOW_AUTH=ldap", "must be none or basic, got ldap"),
        ("MLFLOW_ARTIFACT_ACCESS=both", "must be proxied or direct, got both"),
        ("MLFLOW_VERSION=latest", "must be a release version such as 3.17.2, got latest"),
        ("MLFLOW_VERSION=3.4.9", "must be 3.5.0 or newer"),
        ("MLFLOW_VERSION=\uff13.17.2", "must be a release version such as 3.17.2"),
        ("STACK_BIND_ADDRESS=localhost", "must be an IP address of this machine"),
        ("STACK_BIND_ADDRESS=fe80::1%eth0", "must be an IP address of this machine"),
        ("MLFLOW_MEMORY=much", "must be a size in Compose notation"),
        ("MLFLOW_MEMORY=2000", "must be a size in Compose notation"),
        ("MINIO_VOLUME_PATH=~/objects", "must not start with ~, which is not expanded"),
        ("COMPOSE_PROJECT_NAME=My.Stack", "must be lowercase letters, digits, hyphens"),
        ("PYTHON_IMAGE=two words", "must be an image reference such as name:tag, got two words"),
        ("PYTHON_IMAGE=", "must be an image reference such as name:tag, got an empty value"),
        ("MLFLOW_IMAGE=日本", "must be an image reference such as name:tag"),
        ("AWS_DEFAULT_REGION=Paris", "must be a region name such as us-east-1, got Paris"),
        ("MINIO_CONSOLE_ADDRESS=9001", "must be a colon and a port"),
        (
            "MINIO_STORAGE_USE_HTTPS=true",
            "must be false for the bundled S3 server (MINIO_HOST=s3)",
        ),
        ("PG_DATABASE='a=b'", "must not contain = or ://"),
        ("PG_DATABASE=postgresql://h/d", "must not contain = or ://"),
        ("PG_DATABASE=", "must be 1 to 63 bytes long, got an empty value"),
        (f"PG_DATABASE={'é' * 32}", "must be 1 to 63 bytes long"),
        ("PG_USER=pg_admin", "must not start with pg_"),
        ("PG_USER=public", "must not be none or public (reserved by PostgreSQL)"),
        ("PG_DATABASE=template0", "must not be template0 or template1"),
        ("MLFLOW_ADMIN_USERNAME=é", "must be ASCII"),
        ("MLFLOW_ADMIN_USERNAME=a:b", "must not contain a colon"),
        ("PIP_INDEX_URL=ftp://mirror", "must be the http:// or https:// URL of a package index\n"),
        ("BUILD_CA_CERTS=missing.pem", "must be an existing file, got missing.pem"),
        ('MLFLOW_ALLOWED_HOSTS="a\\nb"', "must be a single line without control characters"),
        ("MINIO_ACCESS_KEY='a/b/c/d'", "must be 3 to 128 characters: letters, digits and any of _"),
    ],
)
def test_the_error_for_an_invalid_value_must_name_variable_rule_and_value(
    user: User, line: str, rule: str
) -> None:
    user.has_env(line)
    refused(user, f"  {line.partition('=')[0]}  {rule}")


@pytest.mark.parametrize("name", ["MLFLOW_PORT", "MINIO_PORT", "PG_PORT"])
@pytest.mark.parametrize("port", ["0", "70000", "65536", "-1"])
def test_a_port_out_of_range_must_be_rejected(user: User, name: str, port: str) -> None:
    user.has_env(f"{name}={port}")
    refused(user, f"{name}  must be a whole number between 1 and 65535, got {port}")


@pytest.mark.parametrize("port", ["0", "70000", "65536"])
def test_a_console_port_out_of_range_must_be_rejected(user: User, port: str) -> None:
    user.has_env(f"MINIO_CONSOLE_ADDRESS=:{port}")
    refused(user, "MINIO_CONSOLE_ADDRESS  must be", f"got :{port}")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["MINIO_PORT=5000"], "MINIO_PORT  must differ from MLFLOW_PORT, got 5000 for both"),
        (["MINIO_PORT=9001"], "MINIO_CONSOLE_ADDRESS  must differ from MINIO_PORT, got 9001"),
        (["PG_PUBLISH=true", "PG_PORT=9000"], "PG_PORT  must differ from MINIO_PORT, got 9000"),
    ],
)
def test_the_error_for_a_port_that_is_used_twice_must_name_both_variables(
    user: User, lines: Sequence[str], message: str
) -> None:
    user.has_env(*lines)
    refused(user, message)


def test_a_console_on_the_container_port_of_s3_must_be_rejected(user: User) -> None:
    """The console has the same port inside the container, where S3 itself uses 9000."""
    user.has_env("MINIO_PORT=9100", "MINIO_CONSOLE_ADDRESS=:9000")
    refused(user, "MINIO_CONSOLE_ADDRESS  must")


def test_a_port_that_is_not_published_must_not_count_as_used(user: User) -> None:
    user.has_env("STACK_ENGINE=docker", "PG_PORT=5000", "MINIO_CONSOLE_ADDRESS=")
    assert user.types("config").code == 0


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-hyphen",
        "hyphen-",
        ".dot",
        "two..dots",
        "192.168.1.1",
        "xn--name",
        "name-s3alias",
        "ein-Eimer-ü",
        "with space",
        "",
    ],
)
def test_an_invalid_bucket_name_must_be_rejected(user: User, name: str) -> None:
    user.has_env(f"MLFLOW_BUCKET_NAME={name}")
    refused(user, "MLFLOW_BUCKET_NAME  must", f"got {name or 'an empty value'}\n")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "mlflow.artifacts-2", "0start9"])
def test_a_valid_bucket_name_must_be_accepted(user: User, name: str) -> None:
    user.has_env(f"MLFLOW_BUCKET_NAME={name}")
    assert user.types("config").code == 0


@pytest.mark.parametrize("name", sorted(SECRETS.keys() - OPTIONAL))
def test_an_empty_secret_must_be_rejected(user: User, name: str) -> None:
    user.has_env(f"{name}=")
    refused(user, f"{name}  must not be empty\n")


@pytest.mark.parametrize("name", sorted(SECRETS.keys() - OPTIONAL))
def test_a_missing_secret_must_be_an_error(user: User, name: str) -> None:
    user.has_env(without=[name])
    refused(user, f"{name}  is not set; use a long random string of letters and digits\n")


def test_an_empty_admin_password_must_be_rejected_only_if_login_is_on(user: User) -> None:
    user.has_env("MLFLOW_ADMIN_PASSWORD=")
    assert user.types("config").code == 0
    user.has_env("MLFLOW_ADMIN_PASSWORD=", "MLFLOW_AUTH=basic")
    refused(user, "MLFLOW_ADMIN_PASSWORD  must be at least 12 characters long")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("MINIO_SECRET_ACCESS_KEY=7777777", "must be at least 8 characters long"),
        (f"PG_PASSWORD={'p' * 241}", "must be at most 240 characters long"),
        ('PG_PASSWORD="hunter2\\n"', "must be a single line without control characters"),
        ("PG_PASSWORD=' hunter2'", "must not start or end with a space"),
        ("MINIO_ROOT_USER=a,hunter2", "must be 3 to 128 characters: letters, digits"),
        ("PIP_INDEX_URL=https://hunter2", None),
        ("PIP_INDEX_URL=hunter2", "must be the http:// or https:// URL of a package index"),
    ],
)
def test_an_invalid_secret_must_not_be_shown(user: User, line: str, rule: str | None) -> None:
    name, _, value = line.partition("=")
    user.has_env(line)
    if rule is None:
        assert value not in user.types("config").out
        return
    result = refused(user, f"{name}  {rule}")
    assert "hunter2" not in result.err
    assert value not in result.err


def test_the_error_for_a_missing_env_file_must_say_how_to_create_one(user: User) -> None:
    refused(
        user,
        "error: .env does not exist\n",
        hint="hint: mlflow-compose init creates one with random secrets\n",
    )


def test_a_folder_in_place_of_the_env_file_must_be_reported(user: User) -> None:
    user.env_file.mkdir()
    refused(user, "error: .env is a folder, not an env file\n", hint="file\n")


def test_an_env_file_that_is_not_text_must_be_reported(user: User) -> None:
    user.env_file.write_bytes(b"MLFLOW_PORT=5000\n\xff\xfe")
    refused(user, "error: .env is not UTF-8 text (byte 17)", hint="hint: save it as UTF-8\n")


def test_an_impossible_path_must_be_rejected(user: User) -> None:
    (user.folder / "file").touch()
    (user.folder / "loop").symlink_to("loop")
    for path in ("file/.env", "loop", "x" * 300):
        result = user.types("config", "--env-file", path)
        assert result.code == 2
        assert f"error: {path} cannot be read" in result.err


@pytest.mark.parametrize("character", ["\n", "\r"])
@pytest.mark.parametrize("command", ["init", "config", "up", "status", "down"])
def test_a_stack_whose_path_contains_a_line_break_must_be_rejected(
    user: User, monkeypatch: pytest.MonkeyPatch, character: str, command: str
) -> None:
    folder = user.folder / f"two{character}lines"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if command != "init":
        (folder / ".env").write_text(env_text(), encoding="utf-8")
    before = list(folder.iterdir())
    result = user.types(command)
    assert result.code == 2
    assert f"must not contain a line break, got {str(folder / '.env')!r}\n" in result.err
    assert list(folder.iterdir()) == before


def test_an_env_file_without_read_permission_must_be_reported(user: User) -> None:
    user.has_env()
    user.env_file.chmod(0)
    done = as_ordinary_user(user.folder, "config")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: .env cannot be read: permission denied\nhint: ")


def as_ordinary_user(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run mlflow-compose without root's permission to read and write everything."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root can read everything, and setpriv is missing")
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [*prefix, sys.executable, "-m", "mlflow_compose", *argv]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("argv", [["init"], ["render"], ["render", "--output", "other"]])
def test_a_folder_without_write_permission_must_be_reported(
    user: User, argv: Sequence[str]
) -> None:
    if argv != ["init"]:
        user.has_env()
    user.folder.chmod(0o555)
    done = as_ordinary_user(user.folder, *argv)
    user.folder.chmod(0o755)
    assert done.returncode in {1, 2}
    assert done.stderr.startswith("error: ")
    assert "ermission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_windows_line_endings_must_be_accepted_and_noted(user: User) -> None:
    user.has_env("MLFLOW_PORT=5001")
    user.env_file.write_bytes(user.env_file.read_bytes().replace(b"\n", b"\r\n"))
    result = user.types("config")
    assert result.code == 0
    assert "MLFLOW_PORT" in result.out
    assert "5001  " in result.out
    assert ".env has Windows line endings (CRLF), which are read as plain ones" in result.out
    user.types("render")
    assert b"\r" not in user.compose_file.read_bytes()


def test_a_byte_order_mark_must_be_accepted_and_noted(user: User) -> None:
    """Otherwise, the first name would start with an invisible character."""
    user.has_env(without=["PG_PASSWORD"])
    marked = "\ufeffPG_PASSWORD=pw\n" + user.env_file.read_text(encoding="utf-8")
    user.env_file.write_text(marked, encoding="utf-8")
    result = user.types("config")
    assert result.code == 0
    assert ".env starts with a byte order mark, which is ignored" in result.out
    user.types("render")
    assert (user.folder / "compose/secrets/pg_password").read_text(encoding="utf-8") == "pw"


def test_the_error_for_lines_with_a_colon_must_show_the_right_format(user: User) -> None:
    user.has_env("MLFLOW_PORT: 5001", "MLFLOW_WORKERS: 3", "MLFLOW_AUTH : basic")
    refused(
        user,
        "error: 3 settings in .env are wrong\n",
        f"line {NEXT:<2}  MLFLOW_PORT is followed by a colon; write MLFLOW_PORT=value\n",
        f"line {NEXT + 1:<2}  MLFLOW_WORKERS is followed by a colon; write MLFLOW_WORKERS=value\n",
        f"line {NEXT + 2:<2}  MLFLOW_AUTH is followed by a colon; write MLFLOW_AUTH=value\n",
    )


def test_a_secret_on_a_line_with_a_colon_must_not_be_shown(user: User) -> None:
    user.has_env("PG_PASSWORD: hunter2")
    result = refused(user, "error: 1 setting in .env is wrong\n", "write PG_PASSWORD=value")
    assert "hunter2" not in result.err
    assert "is not set" not in result.err


def test_a_name_that_is_set_twice_must_be_rejected_with_both_line_numbers(user: User) -> None:
    user.env_file.write_text("MLFLOW_PORT=5001\n# between\nMLFLOW_PORT=5002\n", encoding="utf-8")
    with user.env_file.open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in SECRETS.items())
    refused(user, "MLFLOW_PORT  is set 2 times (lines 1, 3); keep one\n")


def test_a_name_of_another_application_may_be_set_twice(user: User) -> None:
    user.has_env("MY_APP=1", "MY_APP=2")
    assert user.types("config").code == 0


def test_export_must_be_accepted_as_in_a_shell(user: User) -> None:
    user.has_env("export MLFLOW_PORT=5001")
    user.types("render")
    assert '"127.0.0.1:5001:5000"' in user.compose_file.read_text(encoding="utf-8")


def test_a_file_without_any_secret_must_be_answered_with_what_creates_them(user: User) -> None:
    user.env_file.write_text("MLFLOW_PORT=5001\n", encoding="utf-8")
    found = user.types("config", "--json")
    assert "init --from my.env creates .env" in json.loads(found.out)["errors"][0]["hint"]
    user.env_file.rename(user.folder / "my.env")
    assert user.types("init", "--from", "my.env").code == 0
    assert user.types("config").code == 0


def test_all_problems_must_be_in_one_error(user: User) -> None:
    user.has_env(
        "MLFLOW_PORT=0",
        "MLFLOW_BUKET_NAME=x",
        "MLFLOW_JOBS=maybe",
        "MINIO_PORT=9001",
        "MLFLOW_TRACKING_SERVER=x",
        "PG_USER=a",
        "PG_USER=b",
        "MLFLOW_AUTH_CONFIG_PATH=/elsewhere",
        "MLFLOW_WORKERS: 3",
        without=["PG_PASSWORD"],
    )
    result = refused(user, "error: 9 settings in .env are wrong\n")
    names = [line.split()[0] for line in result.err.splitlines()[1:-1]]
    assert sorted(names) == [
        "MINIO_CONSOLE_ADDRESS",
        "MLFLOW_AUTH_CONFIG_PATH",
        "MLFLOW_BUKET_NAME",
        "MLFLOW_JOBS",
        "MLFLOW_PORT",
        "MLFLOW_TRACKING_SERVER",
        "PG_PASSWORD",
        "PG_USER",
        "line",
    ]


def test_an_invalid_value_must_not_cause_a_second_problem(user: User) -> None:
    """An invalid port cannot also conflict with another one."""
    user.has_env("MINIO_PORT=fifty", "MLFLOW_ADMIN_PASSWORD='  '", "MLFLOW_AUTH=basic")
    refused(user, "error: 2 settings in .env are wrong\n")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("MLFLOW_AUTH_ADMIN_PASSWORD=hunter2", "MLFLOW_ADMIN_PASSWORD"),
        ("MLFLOW_AUTH_CONFIG_PATH=/x", "MLFLOW_AUTH"),
        ("MLFLOW_SERVER_ALLOWED_HOSTS=x", "MLFLOW_ALLOWED_HOSTS"),
        ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION=true", "MLFLOW_JOBS"),
        ("MLFLOW_ENABLE_WORKSPACES=true", "MLFLOW_WORKSPACES"),
    ],
)
def test_the_error_for_a_managed_variable_must_name_the_setting_to_use(
    user: User, line: str, instead: str
) -> None:
    user.has_env(line)
    refused(user, f"is managed by the stack; set {instead} instead\n")


def test_an_invalid_value_from_the_environment_must_be_reported_as_such(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.has_env("MLFLOW_PORT=5000")
    monkeypatch.setenv("MLFLOW_PORT", "five")
    refused(user, "got five", "environment")
