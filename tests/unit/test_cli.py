"""The command line: options anywhere, one envelope with --json, exit codes, no traceback."""

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mlflow_compose import __version__, actions
from mlflow_compose.cli.context import Context
from mlflow_compose.cli.run import hoist, program
from mlflow_compose.engines import Choice, choice
from mlflow_compose.errors import MlflowComposeError, NotReadyError
from mlflow_compose.result import Result
from tests.unit.conftest import User
from tests.unit.fakes import ALL_WELL, FakeEngine
from tests.unit.samples import SECRETS, stack

COMMANDS = ("init", "render", "config", "up", "down", "status", "logs", "verify")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Return the engine of every command in this test."""
    found = FakeEngine(stack(), ALL_WELL)
    monkeypatch.setattr(Context, "engine", lambda *_: found)
    monkeypatch.setattr("mlflow_compose.engines.choose", lambda *_: Choice("docker"))
    return found


def envelope(user: User, *argv: str) -> dict[str, Any]:
    """Return the JSON document that a command line prints."""
    result = user.types(*argv)
    document: dict[str, Any] = json.loads(result.out)
    assert set(document) == {"version", "command", "ok", "data", "errors"}
    assert document["version"] == 1
    assert document["ok"] is (result.code == 0)
    assert document["ok"] is not bool(document["errors"])
    for error in document["errors"]:
        assert set(error) == {"code", "message", "hint"}
    return document


@pytest.mark.parametrize(
    ("argv", "options", "rest"),
    [
        (["config"], [], ["config"]),
        (["config", "--json"], ["--json"], ["config"]),
        (["--json", "config", "--quiet"], ["--json", "--quiet"], ["config"]),
        (["up", "--env-file", "x", "--no-verify"], ["--env-file=x"], ["up", "--no-verify"]),
        (["up", "--env-file=x"], ["--env-file=x"], ["up"]),
        (["logs", "--", "--json"], [], ["logs", "--", "--json"]),
        ([], [], []),
    ],
)
def test_global_options_must_be_accepted_anywhere(
    argv: list[str], options: list[str], rest: list[str]
) -> None:
    assert hoist(argv) == (options, rest)


@pytest.mark.parametrize("place", [0, 1])
def test_the_env_file_may_be_given_before_and_after_the_command(user: User, place: int) -> None:
    user.has_env("MLFLOW_PORT=5001")
    user.env_file.rename(user.folder / "other.env")
    argv = ["config"]
    argv[place:place] = ["--env-file", "other.env"]
    result = user.types(*argv)
    assert result.code == 0
    assert "5001" in result.out


@pytest.mark.parametrize("argv", [["config", "--env-file"], ["config", "--env-file="]])
def test_a_missing_path_must_be_reported(user: User, argv: Sequence[str]) -> None:
    result = user.types(*argv)
    assert result.code == 2
    assert "--env-file" in result.err


def test_no_arguments_must_show_the_help(user: User) -> None:
    assert user.types().code == 0
    shown = user.types().out
    assert shown == user.types("--help").out == user.types("-h").out
    for command in COMMANDS:
        assert f"  {command} " in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_must_have_a_description_and_an_example(user: User, command: str) -> None:
    result = user.types(command, "--help")
    assert result.code == 0
    assert f"Example: mlflow-compose {command}" in result.out


def test_the_version_must_be_shown(user: User) -> None:
    assert user.types("--version").out == f"mlflow-compose {__version__}\n"


def test_the_package_must_be_executable_with_python_m(user: User) -> None:
    for command in ([sys.executable, "-m", "mlflow_compose"], ["mlflow-compose"]):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [*command, "--version"],
            cwd=user.folder,
            env={**os.environ, "PATH": path},
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout == f"mlflow-compose {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["config", "--list"], "config"),
        (["config"], "config"),
        (["render"], "render"),
        (["render", "--check"], "render"),
        (["render", "--diff"], "render"),
        (["init", "--env-file", "other.env"], "init"),
        (["status"], "status"),
        (["down"], "down"),
        (["down", "--volumes", "--yes"], "down"),
        (["logs"], "logs"),
        (["up", "--no-verify"], "up"),
    ],
)
def test_success_must_be_one_json_document(
    user: User, engine: FakeEngine, argv: list[str], command: str
) -> None:
    engine.stack = stack(MLFLOW_PORT="15000", MINIO_PORT="19000", MINIO_CONSOLE_ADDRESS="")
    user.has_env()
    if "--check" in argv:
        user.types("render")
    document = envelope(user, "--json", *argv)
    assert document["command"] == command
    assert document["ok"]


@pytest.mark.parametrize(
    ("argv", "command", "code"),
    [
        (["config"], "config", "env_file"),
        (["init", "--set", "MLFLOW_PORT=0"], "init", "settings"),
        (["init", "--set", "x"], "init", "usage"),
        (["nonsense"], "nonsense", "usage"),
        (["up", "--wait-timeout", "soon"], "up", "usage"),
        (["up", "--engine", "podman"], "up", "usage"),
        (["render", "--target", "stone"], "render", "usage"),
        (["render", "extra"], "render", "usage"),
        (["config", "--no-such-option"], "config", "usage"),
        (["logs", "--tail", "-1"], "logs", "usage"),
    ],
)
def test_failure_must_be_one_json_document(
    user: User, argv: list[str], command: str, code: str
) -> None:
    document = envelope(user, *argv, "--json")
    assert document["command"] == command
    assert [error["code"] for error in document["errors"]] == [code]
    assert user.types(*argv, "--json").code == 2
    assert user.types(*argv, "--json").err == ""


def test_a_check_with_differences_must_fail_with_the_changes_in_the_document(user: User) -> None:
    user.has_env()
    document = envelope(user, "render", "--check", "--json")
    assert not document["ok"]
    changed = [change["path"] for change in document["data"]["changes"]]
    assert {"docker-compose.yaml", "secrets/pg_password"} < set(changed)
    assert {change["action"] for change in document["data"]["changes"]} == {"create"}
    assert document["errors"][0]["code"] == "files_changed"


def test_the_document_must_preserve_characters_of_all_languages(user: User) -> None:
    user.has_env("PG_USER=漢é")
    assert "漢é" in user.types("config", "--json").out


def test_config_must_mask_secrets_and_show_sources(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.has_env("MLFLOW_WORKERS=3", "MLFLOW_JOBS=true", "MLFLOW_UC_OSS_TOKEN=hunter2", "OTHER=1")
    monkeypatch.setenv("MLFLOW_PORT", "5001")
    data = envelope(user, "config", "--json")["data"]
    assert data["settings"]["MLFLOW_PORT"] == {"value": "5001", "source": "environment"}
    assert data["settings"]["MLFLOW_WORKERS"] == {"value": "3", "source": ".env"}
    assert data["settings"]["MLFLOW_JOBS"] == {"value": "true", "source": ".env"}
    assert data["settings"]["MINIO_PORT"] == {"value": "9000", "source": "default"}
    assert data["settings"]["MLFLOW_UC_OSS_TOKEN"] == {"value": "********", "source": ".env"}
    assert data["settings"]["PIP_INDEX_URL"] == {"value": "", "source": "default"}
    for name in SECRETS:
        assert data["settings"][name]["value"] == "********"
    assert data["foreign"] == ["OTHER"]


def test_the_list_of_settings_must_not_need_an_env_file(user: User) -> None:
    result = user.types("config", "--list")
    assert result.code == 0
    assert "MLFLOW_PORT" in result.out
    assert "Port of MLflow on this machine." in result.out
    listed = envelope(user, "config", "--list", "--json")["data"]["settings"]
    assert listed["MLFLOW_PORT"]["default"] == "5000"
    assert listed["PG_PASSWORD"]["default"] == "random"


def test_quiet_must_only_print_results(user: User, engine: FakeEngine) -> None:
    engine.stack = stack(MLFLOW_PORT="15000", MINIO_PORT="19000", MINIO_CONSOLE_ADDRESS="")
    user.has_env("MINIO_IMAGE=minio/minio:1")
    loud = user.types("up", "--no-verify")
    quiet = user.types("up", "--no-verify", "--quiet")
    assert "maintained fork" in loud.err
    assert quiet.err == ""
    assert quiet.out == loud.out != ""


def test_an_error_must_be_shown_despite_quiet(user: User) -> None:
    assert user.types("config", "--quiet").err.startswith("error: .env does not exist\n")


def test_data_must_not_be_deleted_without_a_terminal_to_confirm(
    user: User, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    user.has_env()
    result = user.types("down", "--volumes")
    assert result.code == 2
    assert result.err == (
        "error: this deletes data, and there is no terminal for the confirmation\n"
        "hint: add --yes to confirm\n"
    )
    assert engine.calls == ["check"]
    assert envelope(user, "down", "--volumes", "--json")["errors"][0]["code"] == "usage"


class Terminal(io.StringIO):
    """A terminal on which an answer is typed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "deleted"),
    [("y\n", True), ("Yes\n", True), ("\n", False), ("n\n", False), ("", False), ("yeah\n", False)],
)
def test_data_must_be_deleted_only_after_a_yes(
    user: User, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, answer: str, *, deleted: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    user.has_env()
    result = user.types("down", "--volumes")
    assert "Delete all runs and artifacts of the stack mlflow? [y/N]" in result.err
    assert ("stop volumes=True" in engine.calls) is deleted
    assert (result.code == 0) is deleted


def test_yes_must_be_enough_to_delete_data(user: User, engine: FakeEngine) -> None:
    user.has_env()
    assert user.types("down", "--volumes", "--yes").code == 0
    assert engine.calls == ["check", "stop volumes=True"]


def test_down_must_keep_data_without_asking(user: User, engine: FakeEngine) -> None:
    user.has_env()
    assert user.types("down").code == 0
    assert engine.calls == ["check", "stop volumes=False"]


def test_logs_must_be_printed_line_by_line(user: User, engine: FakeEngine) -> None:
    user.has_env()
    assert user.types("logs", "s3", "--tail", "3").out == "one\ntwo\n"
    assert engine.calls[-1] == "logs s3 follow=False tail=3"
    assert envelope(user, "logs", "--json")["data"] == {"lines": ["one", "two"]}


def test_followed_logs_must_not_be_available_as_one_document(
    user: User, engine: FakeEngine
) -> None:
    user.has_env()
    document = envelope(user, "logs", "--follow", "--json")
    assert document["errors"][0]["code"] == "usage"
    assert engine.calls == []


@pytest.mark.parametrize(
    ("called", "options", "words"),
    [
        ("/elsewhere/python/__main__.py", [], "mlflow-compose"),
        ("{}/bin/mlflow-compose", [], "mlflow-compose"),
        ("{}/.venv/bin/mlflow-compose", [], ".venv/bin/mlflow-compose"),
        ("{}/bin/mlflow-compose", ["--json", "--env-file=my class/.env"], None),
    ],
)
def test_commands_must_be_shown_as_this_user_would_type_them(
    user: User, monkeypatch: pytest.MonkeyPatch, called: str, options: list[str], words: str | None
) -> None:
    (user.folder / "bin").mkdir()
    (user.folder / "bin/mlflow-compose").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(user.folder / "bin"))
    expected = words or "mlflow-compose '--env-file=my class/.env'"
    assert program(called.format(user.folder), options) == expected


def test_hints_must_name_the_env_file_that_was_given(user: User) -> None:
    output = user.types("config", "--env-file", "class.env")
    assert output.err == (
        "error: class.env does not exist\n"
        "hint: mlflow-compose --env-file=class.env init creates one with random secrets\n"
    )


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(_: Context) -> None:
        raise error

    monkeypatch.setattr(Context, "chosen_plan", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotReadyError("mlflow was not ready", service="mlflow"), 3),
        (MlflowComposeError("no"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_must_match_the_error(
    user: User, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    fails(monkeypatch, error)
    result = user.types("status")
    assert result.code == code
    assert "Traceback" not in result.err
    assert result.err.startswith("error: ")
    assert envelope(user, "status", "--json")["command"] == "status"


def test_a_bug_must_keep_its_traceback(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        user.types("status")


@pytest.mark.parametrize("content", ["nothing", "a file", "an empty folder"])
@pytest.mark.parametrize(
    ("argv", "code"), [("status", 0), ("logs", 0), ("down", 0), ("verify", 1), ("verify --json", 1)]
)
def test_missing_rendered_files_must_not_cause_a_traceback(
    user: User, content: str, argv: str, code: int
) -> None:
    user.has_env("STACK_ENGINE=local", "MLFLOW_PORT=1")
    if content == "a file":
        (user.folder / "local").touch()
    elif content == "an empty folder":
        (user.folder / "local").mkdir()
    assert user.types(*argv.split()).code == code


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_disk_must_not_be_reported_as_a_bug(
    user: User, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fails(monkeypatch, OSError(number, os.strerror(number), "/srv/stack/file"))
    output = user.types("status")
    assert output.code == 1
    assert output.err == f"error: /srv/stack/file cannot be written: {os.strerror(number)}\n"
    fails(monkeypatch, OSError(errno.EBADF, os.strerror(errno.EBADF)))
    with pytest.raises(OSError, match="Bad file descriptor"):
        user.types("status")


def test_a_closed_pipe_must_not_print_an_error(user: User) -> None:
    """`mlflow-compose config --list | head -1`."""
    command = f"{sys.executable} -m mlflow_compose config --list | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=user.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("COMPOSE_PROJECT_NAME")


def test_a_terminal_without_unicode_must_not_crash_the_tool(user: User) -> None:
    user.has_env("PG_USER=漢")
    done = subprocess.run(
        [sys.executable, "-m", "mlflow_compose", "config"],
        cwd=user.folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "PG_USER" in done.stdout
    assert done.stderr == ""


def test_up_must_say_once_which_engine_it_uses(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.has_env()
    monkeypatch.setattr(choice, "problem", lambda: None)
    monkeypatch.setattr(actions, "up", lambda *_, **__: Result())
    shown = user.types("up")
    assert (shown.code, shown.err.count("engine docker: Docker answers")) == (0, 1)
