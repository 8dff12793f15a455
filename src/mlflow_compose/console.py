"""Terminal output: progress on standard error, results on standard output.

On a terminal, a step is a single animated line; otherwise it is plain lines, which are readable in
a log file. rich is only loaded on a terminal.
"""

import json
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

from mlflow_compose.errors import MlflowComposeError, OutputError
from mlflow_compose.result import Result
from mlflow_compose.streams import Lossy, divert

if TYPE_CHECKING:
    from rich.status import Status

PROGRAM = "mlflow-compose"

UTF_8 = "utf-8"
# Seconds between details of a long step, if there is no terminal.
DETAIL_EVERY = 5.0
SHOWN_CHARACTERS = 76
# Control characters, which a terminal would interpret; texts of servers may contain them.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Console:
    """Prints text for users, or one JSON envelope for programs."""

    def __init__(
        self, out: TextIO, err: TextIO, environ: Mapping[str, str], *, as_json: bool, quiet: bool
    ) -> None:
        # The tool's command as the user typed it, used in hints.
        self.program = PROGRAM
        self._out = out
        self._err = cast("TextIO", Lossy(err))
        self.as_json = as_json
        self._silent = quiet or as_json
        self._terminal = err.isatty() and environ.get("TERM") != "dumb"
        self._color = self._terminal and not environ.get("NO_COLOR")
        self._status: Status | None = None
        self._step = ""
        self._last_line = 0.0

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, then its duration."""
        text = _safe(text)
        start = time.monotonic()
        self._step, self._last_line = text, start
        if self._silent:
            yield
        elif self._terminal:
            with self._spinner(text):
                yield
            self._print(f"{text} … {_seconds(start)}")
        else:
            self._print(f"{text} …")
            yield
            self._print(f"  {_seconds(start)}")

    def detail(self, text: str) -> None:
        """Show the latest event of the current step."""
        text = _safe(text)
        now = time.monotonic()
        if self._silent:
            return
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(f"{self._step} … {text}"[:SHOWN_CHARACTERS]))
        elif now - self._last_line >= DETAIL_EVERY:
            self._last_line = now
            self._print(f"  {text}")

    def note(self, text: str) -> None:
        """Show a line that stays on the screen."""
        self._print(f"note: {_safe(text)}")

    def command(self, argv: Sequence[str]) -> None:
        """Show a command that is run, as the user would type it."""
        text = _safe(f"$ {shlex.join(argv)}")
        self._print(f"\x1b[2m{text}\x1b[0m" if self._color else text)

    def line(self, text: str) -> bool:
        """Print one line of output, such as a log line; return whether it is still read.

        Raises:
            OutputError: It cannot be written.
        """
        return self._write(f"{text}\n")

    def data(self, text: str) -> bool:
        """Print one line of data, unchanged unless a terminal would interpret it."""
        return self.line(_safe(text) if self._out.isatty() else text)

    def live(self, frames: Iterable[Sequence[str]]) -> None:
        """Show lines that replace the previous ones; without a terminal, those that changed."""
        if not self._out.isatty():
            shown: Sequence[str] = ()
            for lines in frames:
                changed = (self._typed(line) for line in lines if line not in shown)
                if not all(map(self.line, changed)):
                    return
                shown = lines
            return
        from rich.console import Console as Terminal
        from rich.live import Live
        from rich.text import Text

        with Live(console=Terminal(file=self._out), auto_refresh=False) as screen:
            for lines in frames:
                screen.update(Text("\n".join(map(self._typed, lines))), refresh=True)

    def show(self, command: str, result: Result) -> int:
        """Print the result of a command; return the exit code, which is 1 if printing fails."""
        errors = () if self.as_json else result.errors
        try:
            self._write(self._text(command, result))
        except OutputError as lost:
            errors = (*result.errors, lost)
        for error in errors:
            self._print_error(error)
        return result.exit_code or (errors[0].exit_code if errors else 0)

    def fail(self, command: str, error: MlflowComposeError) -> int:
        """Print why a command ended early; return the exit code."""
        return self.show(command, Result(errors=(error,)))

    @property
    def is_interactive(self) -> bool:
        """Whether a user can type, and sees the output, on a terminal."""
        return sys.stdin.isatty() and self._out.isatty()

    def confirm(self, question: str) -> bool | None:
        """Ask a yes-or-no question; return None without a terminal."""
        if self.as_json or not sys.stdin.isatty():
            return None
        print(f"{question} [y/N] ", end="", file=self._err, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def secret(self, question: str) -> str | None:
        """Ask for a secret, which is not shown; return None without a terminal."""
        from getpass import getpass

        if self.as_json or not sys.stdin.isatty():
            return None
        try:
            return getpass(f"{question}: ", stream=self._err)
        except EOFError:
            return ""

    @contextmanager
    def _spinner(self, text: str) -> Iterator[None]:
        from rich.console import Console as Terminal
        from rich.text import Text

        terminal = Terminal(file=self._err, no_color=not self._color, highlight=False)
        # As a plain string, brackets in it would be markup.
        with terminal.status(Text(f"{text} …")) as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def _print(self, text: str) -> None:
        if not self._silent:
            print(text, file=self._err, flush=True)

    def _typed(self, text: str) -> str:
        """Return `text` safe for a terminal, with commands as this user would type them."""
        command = rf"(?<![\w/.-]){PROGRAM} (?=[a-z-])"
        return re.sub(command, lambda _: f"{self.program} ", _safe(text))

    def _text(self, command: str, result: Result) -> str:
        """Return the text of a result."""
        if self.as_json:
            # Other encodings, such as ASCII, would replace characters with "?".
            escaped = (self._out.encoding or UTF_8).lower() != UTF_8
            return json.dumps(result.envelope(command), indent=2, ensure_ascii=escaped) + "\n"
        if result.is_input and not self._out.isatty():
            return "".join(f"{line}\n" for line in result.lines)
        lines = [*result.lines, *(result.on_terminal if self._out.isatty() else ())]
        return "".join(f"{self._typed(line)}\n" for line in lines)

    def _write(self, text: str) -> bool:
        """Write to standard output; return whether it is still read, unlike after `… | head`.

        Raises:
            OutputError: It cannot be written.
        """
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            divert(self._out)
            return False
        except OSError as error:
            divert(self._out)
            raise OutputError(
                f"the result cannot be written to standard output: {error.strerror}",
                hint="mlflow-compose status shows the state of the stack",
            ) from None
        return True

    def _print_error(self, error: MlflowComposeError) -> None:
        label = "\x1b[31merror:\x1b[0m" if self._color else "error:"
        print(f"{label} {self._typed(error.message)}", file=self._err)
        if error.hint:
            print(f"hint: {self._typed(error.hint)}", file=self._err)
        self._err.flush()


def _safe(text: str) -> str:
    """Return `text` without control characters."""
    return CONTROLS.sub("\ufffd", text)


def _seconds(start: float) -> str:
    return f"{time.monotonic() - start:.0f} s"
