"""What people see: progress on standard error, results on standard output.

On a terminal a step is one line that moves; without one it is plain lines, so that a log file
reads well. rich is only loaded where there is a terminal.
"""

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.result import Result

if TYPE_CHECKING:
    from rich.status import Status

PROGRAM = "mlflow-compose"

# Without a terminal, details of a long step appear this often, in seconds.
DETAIL_EVERY = 5.0
SHOWN_CHARACTERS = 76


class Unfailing:
    """A stream that drops what cannot be written: a closed terminal or pipe ends no work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text` if that is possible."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered if that is possible."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of whatever type the stream's is
        """Return anything else as the stream has it."""
        return getattr(self._stream, name)


class Console:
    """Prints for people, or one JSON envelope for programs."""

    def __init__(
        self, out: TextIO, err: TextIO, environ: Mapping[str, str], *, as_json: bool, quiet: bool
    ) -> None:
        # How the tool was called: what the commands that we name must begin with.
        self.program = PROGRAM
        self._out = out
        self._err = cast("TextIO", Unfailing(err))
        self.as_json = as_json
        self._silent = quiet or as_json
        self._terminal = err.isatty() and environ.get("TERM") != "dumb"
        self._color = self._terminal and "NO_COLOR" not in environ
        self._status: Status | None = None
        self._step = ""
        self._last_line = 0.0

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, and how long it took afterwards."""
        start = time.monotonic()
        self._step, self._last_line = text, start
        if self._silent:
            yield
        elif self._terminal:
            with self._moving(text):
                yield
            self._say(f"{text} … {_seconds(start)}")
        else:
            self._say(f"{text} …")
            yield
            self._say(f"  {_seconds(start)}")

    def detail(self, text: str) -> None:
        """Show the newest thing that happened inside of the current step."""
        now = time.monotonic()
        if self._silent:
            return
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(f"{self._step} … {text}"[:SHOWN_CHARACTERS]))
        elif now - self._last_line >= DETAIL_EVERY:
            self._last_line = now
            self._say(f"  {text}")

    def note(self, text: str) -> None:
        """Say one line that stays on the screen."""
        self._say(f"note: {text}")

    def command(self, argv: Sequence[str]) -> None:
        """Show a command that is run for the user."""
        text = f"$ {shlex.join(argv)}"
        self._say(f"\x1b[2m{text}\x1b[0m" if self._color else text)

    def line(self, text: str) -> None:
        """Print one line of output as it comes, such as a log's."""
        print(text, file=self._out, flush=True)

    def show(self, command: str, result: Result) -> None:
        """Print the outcome of a command."""
        if self.as_json:
            self._print_json(result.envelope(command))
            return
        for line in result.lines:
            print(self._typed(line), file=self._out)
        self._out.flush()
        for error in result.errors:
            self._print_error(error)

    def fail(self, command: str, error: MlflowComposeError) -> None:
        """Print why a command ended early."""
        self.show(command, Result(errors=(error,)))

    def confirm(self, question: str) -> bool | None:
        """Ask a yes-or-no question; None where nobody can answer."""
        if self.as_json or not sys.stdin.isatty():
            return None
        print(f"{question} [y/N] ", end="", file=self._err, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    @contextmanager
    def _moving(self, text: str) -> Iterator[None]:
        from rich.console import Console as Terminal

        terminal = Terminal(file=self._err, no_color=not self._color, highlight=False)
        with terminal.status(f"{text} …") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def _say(self, text: str) -> None:
        if not self._silent:
            print(text, file=self._err, flush=True)

    def _typed(self, text: str) -> str:
        """Return `text` with our own commands as this user would type them."""
        return re.sub(rf"(?<![\w/.-]){PROGRAM} (?=[a-z-])", lambda _: f"{self.program} ", text)

    def _print_json(self, envelope: Mapping[str, Any]) -> None:
        print(json.dumps(envelope, indent=2, ensure_ascii=False), file=self._out, flush=True)

    def _print_error(self, error: MlflowComposeError) -> None:
        word = "\x1b[31merror:\x1b[0m" if self._color else "error:"
        print(f"{word} {self._typed(error.message)}", file=self._err)
        if error.hint:
            print(f"hint: {self._typed(error.hint)}", file=self._err)
        self._err.flush()


def silence_closed_pipe() -> None:
    """Make the interpreter's last flush harmless after `… | head` closed our output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def drop_unwritten(stream: TextIO) -> None:
    """Make the interpreter's last flush harmless where what is buffered cannot be written."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _seconds(start: float) -> str:
    return f"{time.monotonic() - start:.0f} s"
