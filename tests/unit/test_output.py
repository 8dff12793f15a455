"""Commands finish their work and exit with the documented code, whatever breaks their output."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from mlflow_compose import __version__
from mlflow_compose.cli.context import Context
from mlflow_compose.console import Console
from mlflow_compose.errors import OutputError
from tests.unit.conftest import User
from tests.unit.test_cli import COMMANDS, envelope

FULL, GONE, CLOSED = "a full disk", "a reader that went away", "closed"
LOST = {
    FULL: "error: the result cannot be written to standard output: No space left on device\n",
    CLOSED: "error: the result cannot be written to standard output: Bad file descriptor\n",
}
# Texts that Python prints for an error at exit.
TROUBLE = ("Traceback", "Exception ignored")


class Ended(NamedTuple):
    """The exit code of a command line, and the output that was not lost."""

    code: int
    out: str
    err: str


@contextmanager
def sink(what: str) -> Iterator[int]:
    """Yield a file descriptor that cannot be written to."""
    if what == FULL:
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        handle = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, handle = os.pipe()
        os.close(reader)
    yield handle
    os.close(handle)


def types(user: User, *argv: str, out: str = "", err: str = "") -> Ended:
    """Run a command line in a separate process with broken outputs."""
    command = [sys.executable, "-m", "mlflow_compose", *argv]
    closing = " ".join(f"{number}>&-" for number, what in ((1, out), (2, err)) if what == CLOSED)
    with sink(out) as stdout, sink(err) as stderr:
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closing}', "sh", *command],
            cwd=user.folder,
            stdout=stdout if out else subprocess.PIPE,
            stderr=stderr if err else subprocess.PIPE,
            check=False,
        )
    output = Ended(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())
    assert not any(word in output.out + output.err for word in TROUBLE), output
    return output


@pytest.mark.parametrize("flags", [[], ["--json"], ["--quiet"]])
@pytest.mark.parametrize("out", [FULL, CLOSED])
def test_a_command_must_finish_and_then_fail_if_its_result_cannot_be_written(
    user: User, out: str, flags: Sequence[str]
) -> None:
    user.has_env()
    output = types(user, "render", *flags, out=out)
    assert output.code == 1
    assert output.err.startswith(LOST[out])
    assert user.compose_file.exists()
    assert user.types("render", "--check").code == 0


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_closed_pipe_must_change_nothing(user: User, flags: Sequence[str]) -> None:
    user.has_env()
    assert types(user, "render", *flags, out=GONE) == (0, "", "")
    assert user.types("render", "--check").code == 0
    assert types(user, "config", "--env-file", "none", *flags, out=GONE).code == 2
    user.has_env("MLFLOW_PORT=5001")
    assert types(user, "render", "--check", "--diff", *flags, out=GONE).code == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_must_be_complete_in_every_encoding(
    user: User, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.has_env("PG_DATABASE=größe漢")
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    output = types(user, "config", "--json")
    assert json.loads(output.out)["data"]["settings"]["PG_DATABASE"]["value"] == "größe漢"


@pytest.mark.parametrize("err", [FULL, GONE, CLOSED])
def test_progress_that_cannot_be_shown_must_change_nothing(user: User, err: str) -> None:
    """A failure whose message cannot be printed still has its exit code."""
    user.has_env("MINIO_IMAGE=minio/minio:1")
    output = types(user, "config", err=err)
    assert output.code == 0
    assert "minio/minio:1" in output.out
    assert types(user, "config", "--env-file", "none", err=err).code == 2
    assert types(user, "config", "--no-such-option", err=err).code == 2


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize(("both", "code"), [(FULL, 1), (CLOSED, 1), (GONE, 0)])
def test_a_command_must_finish_without_any_output(
    user: User, both: str, code: int, flags: Sequence[str]
) -> None:
    user.has_env()
    assert types(user, "render", *flags, out=both, err=both) == (code, "", "")
    assert user.types("render", "--check").code == 0


def test_a_written_file_must_not_get_the_descriptor_of_a_closed_output(user: User) -> None:
    """The next file that a process opens gets the lowest free descriptor."""
    user.has_env()
    assert types(user, "render", "--json", out=CLOSED, err=CLOSED).code == 1
    texts = [path.read_text() for path in (user.folder / "compose").rglob("*") if path.is_file()]
    assert not any('"version": 1' in text and "command" in text for text in texts)
    assert user.types("render", "--check").code == 0


def test_an_error_must_keep_its_exit_code_and_message_if_the_document_is_lost(
    user: User,
) -> None:
    output = types(user, "config", "--json", out=FULL)
    assert output.code == 2
    assert ".env does not exist" in output.err
    assert LOST[FULL] in output.err


@pytest.mark.parametrize("argv", [[], ["--help"], ["up", "-h"], ["--version"]])
def test_help_must_fail_if_it_cannot_be_written(user: User, argv: Sequence[str]) -> None:
    assert types(user, *argv, out=GONE) == (0, "", "")
    for out in (FULL, CLOSED):
        output = types(user, *argv, out=out)
        assert output.code == 1
        assert output.err.startswith(LOST[out])


@pytest.mark.parametrize("words", ["--json --help", "-h --json", "--help --json --quiet"])
def test_help_must_be_one_json_document(user: User, words: str) -> None:
    document = envelope(user, *words.split())
    assert document["ok"]
    assert all(f"  {command} " in document["data"]["help"] for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_must_be_one_json_document(user: User, command: str) -> None:
    document = envelope(user, command, "--help", "--json")
    assert document["command"] == command
    assert f"Example: mlflow-compose {command}" in document["data"]["help"]


def test_the_version_must_be_one_json_document(user: User) -> None:
    assert envelope(user, "--json", "--version")["data"] == {"version": __version__}


def test_a_closed_input_must_count_as_no_terminal(user: User) -> None:
    user.has_env("STACK_ENGINE=local")
    command = [sys.executable, "-m", "mlflow_compose", "down", "--volumes"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        cwd=user.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no terminal for the confirmation" in done.stderr


def follow(out: str) -> None:
    """Print endless lines."""
    with sink(out) as stdout, os.fdopen(os.dup(stdout), "w") as stream:
        console = Console(stream, sys.stderr, {}, as_json=False, quiet=False)
        lines = (f"line {number}" for number in itertools.count())
        Context(console, {}, "logs").show_lines(lines)


def test_endless_output_must_stop_when_it_is_no_longer_read() -> None:
    """For example in `mlflow-compose logs --follow | head`."""
    follow(GONE)


def test_output_that_cannot_be_written_must_be_an_error() -> None:
    with pytest.raises(OutputError, match="No space left on device"):
        follow(FULL)
