"""The rendered scripts of a stack without Docker, run by a real shell."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mlflow_compose.render import render, write
from mlflow_compose.render.literal import shell
from mlflow_compose.settings.names import is_secret_variable
from mlflow_compose.stack import Stack
from tests.unit.conftest import User
from tests.unit.samples import IDENTITY, MACHINE, SECRETS, local_stack

# A variable of MLflow, which is passed through unchanged.
VARIABLE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
WHERE = "mlflow/run.sh"

NO_LINE_ENDS = st.characters(codec="utf-8", exclude_characters="\0\n")
SYNTAX = st.text("'\"\\$`#%!~*?[]{}()<>|&;= \t\r-aZ0.é漢😀\u2028\u00a0\x81\x88", max_size=40)
TEXTS = st.text(NO_LINE_ENDS, max_size=80) | SYNTAX

few = hypothesis_settings(max_examples=60, deadline=None)


def output_of(script: str, *arguments: str) -> str:
    """Return the output of a script in a shell with a clean environment."""
    done = subprocess.run(
        ["sh", "-euc", script, "sh", *arguments],
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    assert done.stderr == b""
    return done.stdout.decode()


def exports(script: str) -> str:
    """Return the lines of a script that set the environment of its server."""
    lines = [line for line in script.split("\n") if line.startswith("export ")]
    return "\n".join(line for line in lines if not line.startswith("export STACK_SERVICE="))


@few
@given(TEXTS)
@example("'; exit 1; '")
@example("$HOME ${HOME} $$ `id` $(id) %(here)s %%")
@example("\\")
@example("-n")
@example("{{ stack }} {% raw %}")
@example(" begins and ends with spaces ")
def test_any_value_must_reach_the_server_unchanged(text: str) -> None:
    stack = local_stack(**{VARIABLE: text})
    if is_secret_variable(VARIABLE, text):
        # A URL that may contain a password goes to the secret file.
        (secret,) = (found for found in stack.secrets if found.name == "mlflow_env")
        script = secret.text
    else:
        script = exports(render(stack).files[WHERE].text)
    assert output_of(f'{script}\nprintf %s "${VARIABLE}"') == text


@few
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)))
@example(["", "-n", "$HOME", "'", "a b", "*", "~", "\n"])
def test_the_words_of_a_command_must_be_read_back_unchanged(words: Sequence[str]) -> None:
    script = f"set -- {shell(words)}\nfor word; do printf '%s\\0' \"$word\"; done"
    assert output_of(script) == "".join(f"{word}\0" for word in words)


@few
@given(TEXTS)
def test_any_text_must_be_a_single_word(text: str) -> None:
    assert output_of(f'set -- {shell(text)}; printf "%s %s" $# "$1"') == f"1 {text}"


@pytest.mark.parametrize("word", ["python", "secrets/s3_app_key", "127.0.0.1:9000", "--port=5000"])
def test_a_plain_word_must_not_be_quoted(word: str) -> None:
    assert shell(word) == word


def stack_in(cache: Path, **values: str) -> Stack:
    """Return a stack whose Python prints its arguments and some environment variables."""
    stack = local_stack(replace(MACHINE, cache=str(cache)), **values)
    python = Path(stack.service("s3").image) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@"\n'
        'case "$1" in s3/*) printf "%s\\n" "$S3_FOLDER" "$STACK_SERVICE" "$STACK_FOLDER";; esac\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    return stack


def test_a_script_must_end_orphans_and_start_its_server(tmp_path: Path) -> None:
    """It works from any working directory and with any folder names."""
    folder = tmp_path / "it's $HOME %s" / "local"
    stack = stack_in(tmp_path / "a 'cache' of $mine", MINIO_VOLUME_PATH="/srv/it's #1 $x")
    write(render(stack), folder)
    done = subprocess.run(["sh", folder / "s3/run.sh"], cwd="/", capture_output=True, check=False)
    assert done.stderr == b""
    assert done.stdout.decode().splitlines() == [
        "end_orphans.py",
        *("s3/start_rclone.py", "/srv/it's #1 $x", f"{IDENTITY}/s3", str(folder)),
    ]
    assert (folder / "run" / "s3.started").exists()


def test_a_script_must_create_its_data_folder(tmp_path: Path) -> None:
    """The folder is missing after `render` alone, or if the user deleted it."""
    write(render(stack_in(tmp_path / "cache")), tmp_path / "local")
    before = os.umask(0o022)
    try:
        subprocess.run(["sh", tmp_path / "local/s3/run.sh"], capture_output=True, check=True)
    finally:
        os.umask(before)
    data = tmp_path / "local" / "data"
    assert (data.stat().st_mode & 0o777, (data / "minio_data").stat().st_mode & 0o777) == (
        0o700,
        0o700,
    )


def test_the_folder_of_supervisords_socket_must_be_created(tmp_path: Path) -> None:
    """It is outside the stack's folder if that has a long path."""
    machine = replace(MACHINE, socket=str(tmp_path / "short" / "1.sock"))
    write(render(local_stack(machine)), tmp_path / "local")
    assert (tmp_path / "short").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("gone", ["never installed", "its Python is gone"])
def test_a_script_without_its_packages_must_not_run_programs_from_path(
    tmp_path: Path, gone: str
) -> None:
    stack = stack_in(tmp_path / "cache")
    write(render(stack), tmp_path / "local")
    other = Path(stack.service("s3").image).rename(tmp_path / "other")
    if gone == "its Python is gone":
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/python").symlink_to("/nowhere/python")
        Path(stack.service("s3").image).symlink_to(tmp_path)
    for service in stack.services:
        done = subprocess.run(
            ["sh", tmp_path / "local" / service.name / "run.sh"],
            env={"PATH": f"{other / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"the packages that {service.name} needs are not installed: "
            "mlflow-compose up installs them\n"
        )


def test_a_failed_job_must_not_count_as_done(tmp_path: Path) -> None:
    stack = stack_in(tmp_path / "cache")
    write(render(stack), tmp_path / "local")
    python = Path(stack.service("bucket-init").image) / "bin" / "python"
    # The script also calls Python to end orphans, and for the health check that it waits for.
    says = '#!/bin/sh\ncase "$1" in bucket-init/*) exit {code};; esac\n'
    for code, done in ((3, False), (0, True)):
        python.write_text(says.format(code=code), encoding="utf-8")
        ended = subprocess.run(["sh", tmp_path / "local/bucket-init/run.sh"], check=False)
        assert ended.returncode == code
        assert (tmp_path / "local/run/bucket-init.done").exists() is done


def test_other_users_must_not_have_access_to_secrets(user: User) -> None:
    user.has_env("STACK_ENGINE=local", "MLFLOW_AUTH=basic")
    assert user.types("render").code == 0
    local = user.folder / "local"
    assert not (user.folder / "compose").exists()
    assert (local / "secrets").stat().st_mode & 0o777 == 0o700
    modes = {path.stat().st_mode & 0o777 for path in (local / "secrets").glob("[!.]*")}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in local.rglob("*.sh")} == {0o755}
    assert (local / "supervisord.conf").stat().st_mode & 0o777 == 0o644


def test_secrets_must_only_be_in_the_secrets_folder() -> None:
    index = "https://user:index-secret@mirror/simple"
    found = render(
        local_stack(
            MLFLOW_AUTH="basic",
            JUPYTER="true",
            PGADMIN="true",
            MLFLOW_FLASK_SERVER_SECRET_KEY="flask-key-of-the-sample",
            PIP_INDEX_URL=index,
        )
    )
    hidden = {*SECRETS.values(), "flask-key-of-the-sample", "index-secret"}
    for path, file in found.files.items():
        assert not any(secret in file.text for secret in hidden), path
    secret_texts = "\n".join(file.text for file in found.secrets.values())
    root = {SECRETS["MINIO_ROOT_USER"], SECRETS["MINIO_ROOT_PASSWORD"]}
    # One that others are derived from, and one that only the tool itself reads.
    of_class = {SECRETS["CLASS_SECRET"], SECRETS["CLASS_PASSWORD"]}
    assert {secret for secret in hidden if secret in secret_texts} == hidden - root - of_class


@pytest.mark.parametrize("name", ["postgres", "s3", "bucket-init", "mlflow"])
def test_every_service_must_have_scripts_that_describe_it(name: str) -> None:
    stack = local_stack()
    files = render(stack).files
    assert f"# {stack.service(name).about}\n" in files[f"{name}/run.sh"].text
    assert f"; {stack.service(name).about}\n[program:{name}]\n" in files["supervisord.conf"].text
    assert f"{name}/healthcheck.sh" in files


def test_rendering_twice_must_change_nothing(user: User) -> None:
    user.has_env("STACK_ENGINE=local")
    assert "create  local/supervisord.conf\n" in user.types("render").out
    second = user.types("render")
    assert (second.code, second.out, second.err) == (0, "", "")


def test_a_changed_setting_must_only_update_the_files_that_use_it(user: User) -> None:
    """Otherwise, servers would be restarted without need."""
    user.has_env("STACK_ENGINE=local")
    user.types("render")
    user.has_env("STACK_ENGINE=local", "MLFLOW_ALLOWED_HOSTS=lab")
    assert user.types("render").out == "update  local/mlflow/run.sh\n"


def test_targets_must_have_separate_folders(user: User) -> None:
    user.has_env()
    user.types("render", "--target", "local")
    user.types("render", "--target", "compose")
    assert (user.folder / "local" / "supervisord.conf").exists()
    assert user.compose_file.exists()
    assert user.types("render", "--target", "local", "--check").code == 0
