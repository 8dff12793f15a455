"""The console: live progress on a terminal, plain lines without one, JSON for programs."""

import io
import json
import re
import sys
import time
from collections.abc import Mapping

import pytest

from mlflow_compose.console import Console
from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.payloads import Version
from mlflow_compose.result import Result


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def make(
    err: io.StringIO | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), err or io.StringIO()
    return Console(out, err, environ or {}, as_json=as_json, quiet=quiet), out, err


def work(shown: Console) -> None:
    """Use a console as `up` does."""
    shown.note("a note")
    shown.command(["docker", "compose", "up", "a b"])
    with shown.step("Starting"):
        shown.detail("mlflow started")


def test_without_a_terminal_progress_must_be_plain_lines() -> None:
    shown, out, err = make()
    work(shown)
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "note: a note",
        "$ docker compose up 'a b'",
        "Starting …",
        "  0 s",
    ]


def test_without_a_terminal_details_must_be_printed_occasionally(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A log file should not get a line for every image layer."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown, _, err = make()
    with shown.step("Building"):
        for number in range(20):
            now[0] += 1
            shown.detail(f"layer {number}")
    assert err.getvalue().splitlines() == [
        "Building …",
        "  layer 4",
        "  layer 9",
        "  layer 14",
        "  layer 19",
        "  20 s",
    ]


def test_without_a_terminal_no_heavy_library_must_be_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    shown, _, _ = make()
    work(shown)


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "dumb", "NO_COLOR": "1"}])
def test_a_dumb_terminal_must_get_plain_lines(environ: Mapping[str, str]) -> None:
    shown, _, err = make(Screen(), environ)
    work(shown)
    assert "\x1b" not in err.getvalue()


def test_a_terminal_must_show_how_long_a_step_took() -> None:
    shown, _, err = make(Screen(), {"TERM": "xterm"})
    work(shown)
    assert re.search(r"Starting … \d+ s\n", err.getvalue())
    assert "\x1b[2m$ docker compose up 'a b'\x1b[0m\n" in err.getvalue()


def test_colors_must_be_off_if_they_are_not_wanted() -> None:
    shown, _, err = make(Screen(), {"TERM": "xterm", "NO_COLOR": "1"})
    shown.command(["docker", "ps"])
    shown.fail("up", MlflowComposeError("no"))
    assert err.getvalue() == "$ docker ps\nerror: no\n"


def test_an_empty_no_color_must_have_no_effect() -> None:
    """As specified by https://no-color.org."""
    shown, _, err = make(Screen(), {"TERM": "xterm", "NO_COLOR": ""})
    shown.command(["docker", "version"])
    assert "\x1b[2m$ docker version" in err.getvalue()


def test_a_step_that_fails_must_not_hide_the_failure() -> None:
    for screen in (io.StringIO(), Screen()):
        shown, _, _ = make(screen, {"TERM": "xterm"})
        with pytest.raises(ZeroDivisionError), shown.step("Starting"):
            raise ZeroDivisionError


@pytest.mark.parametrize("flags", [{"quiet": True}, {"as_json": True}])
def test_progress_must_be_silent_if_it_is_not_wanted(flags: dict[str, bool]) -> None:
    shown, out, err = make(Screen(), {"TERM": "xterm"}, **flags)
    work(shown)
    assert out.getvalue() == err.getvalue() == ""


def test_an_error_must_be_a_message_and_a_hint_on_standard_error() -> None:
    shown, out, err = make()
    shown.show("up", Result(lines=["a line"], errors=(MlflowComposeError("no", hint="try"),)))
    assert out.getvalue() == "a line\n"
    assert err.getvalue() == "error: no\nhint: try\n"


def test_with_json_only_one_document_must_be_printed() -> None:
    shown, out, err = make(as_json=True)
    result = Result(Version("1"), ["a line"], (MlflowComposeError("no", hint="try"),))
    shown.show("up", result)
    assert err.getvalue() == ""
    assert json.loads(out.getvalue()) == {
        "version": 1,
        "command": "up",
        "ok": False,
        "data": {"version": "1"},
        "errors": [{"code": "failed", "message": "no", "hint": "try"}],
    }


def test_a_question_must_not_be_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    shown, _, err = make()
    assert shown.confirm("Sure?") is None
    assert err.getvalue() == ""
    monkeypatch.setattr(sys, "stdin", Screen("y\n"))
    assert make(as_json=True)[0].confirm("Sure?") is None
    assert shown.confirm("Sure?") is True
    assert err.getvalue() == "Sure? [y/N] "


def test_only_commands_must_be_rewritten_as_this_user_types_them() -> None:
    """A folder may have the same name as the tool."""
    shown, _, err = make()
    shown.program = ".venv/bin/mlflow-compose"
    shown.fail(
        "up",
        MlflowComposeError("/etc/mlflow-compose cannot be written", hint="mlflow-compose up again"),
    )
    assert err.getvalue() == (
        "error: /etc/mlflow-compose cannot be written\nhint: .venv/bin/mlflow-compose up again\n"
    )


@pytest.mark.parametrize("screen", [io.StringIO, Screen])
def test_texts_of_servers_must_not_control_the_terminal(
    screen: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress contains names of experiments, and notes contain messages of servers."""
    monkeypatch.setattr("mlflow_compose.console.DETAIL_EVERY", 0)
    evil = "\x1b]0;title\x07 \x9b2J"
    shown, out, err = make(screen(), {"TERM": "xterm"})
    with shown.step(f"Reading {evil}"):
        shown.detail(evil)
        time.sleep(0.2)
    shown.note(evil)
    shown.command(["echo", evil])
    shown.show("up", Result(lines=[evil], errors=(MlflowComposeError(evil, hint=evil),)))
    for text in (out.getvalue(), err.getvalue()):
        assert "]0;title" in text
        assert not re.search(r"\x1b\]|\x07|\x9b", text)


def test_brackets_in_a_step_must_not_be_markup() -> None:
    shown, _, err = make(Screen(), {"TERM": "xterm"})
    with shown.step("Reading [/runs]"):
        pass
    assert "Reading [/runs] … " in err.getvalue()


def on(out: io.StringIO) -> Console:
    """Return a console that prints results there."""
    return Console(out, io.StringIO(), {}, as_json=False, quiet=False)


def test_what_to_do_next_must_only_be_shown_on_a_terminal() -> None:
    result = Result(lines=["MLflow"], on_terminal=["open it"])
    for out, expected in ((io.StringIO(), ["MLflow"]), (Screen(), ["MLflow", "open it"])):
        on(out).show("up", result)
        assert out.getvalue().splitlines() == expected


def test_lines_for_another_program_must_be_printed_unchanged() -> None:
    """A password may contain what looks like a command of the tool, or a control character."""
    out = io.StringIO()
    shown = on(out)
    shown.program = "elsewhere/mlflow-compose"
    shown.show("env", Result(lines=["export A='mlflow-compose up \x1b'"], is_input=True))
    assert out.getvalue() == "export A='mlflow-compose up \x1b'\n"


FRAMES = [["a running", "b starting"], ["a running", "b healthy"], ["a running", "b healthy"]]


def test_without_a_terminal_watching_must_print_each_change_once() -> None:
    out = io.StringIO()
    on(out).live(FRAMES)
    assert out.getvalue().splitlines() == ["a running", "b starting", "b healthy"]


def test_on_a_terminal_watching_must_replace_what_is_shown() -> None:
    out = Screen()
    on(out).live([*FRAMES, ["\x1b[31mred"]])
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue())
    assert text.count("b starting") == 1
    assert "\x1b[31m" not in out.getvalue()
    assert "\ufffd[31mred" in text


def test_data_must_not_control_a_terminal_and_must_be_unchanged_elsewhere() -> None:
    """A run may have any name."""
    for out, expected in ((io.StringIO(), "a\x1b[2J\n"), (Screen(), "a\ufffd[2J\n")):
        assert on(out).data("a\x1b[2J")
        assert out.getvalue() == expected
