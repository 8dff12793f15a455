"""The result of an action, and how it reports progress."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.payloads import NOTHING, Payload, as_json

JSON_VERSION = 1


@dataclass(frozen=True)
class Result:
    """The result of one command.

    Attributes:
        data: Payload for `--json`.
        lines: The same as text for users.
        errors: Errors; empty if the command succeeded.
        on_terminal: Lines that follow on a terminal, such as what to do next.
        is_input: Whether the lines are for another program, and are printed unchanged.
    """

    data: Payload = NOTHING
    lines: Sequence[str] = ()
    errors: Sequence[MlflowComposeError] = ()
    on_terminal: Sequence[str] = ()
    is_input: bool = False

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return not self.errors

    @property
    def exit_code(self) -> int:
        """The exit code: 0, or that of the first error."""
        return self.errors[0].exit_code if self.errors else 0

    def expect(self) -> None:
        """Raise the first error, if there is any."""
        if self.errors:
            raise self.errors[0]

    def envelope(self, command: str) -> dict[str, Any]:
        """Return the JSON envelope that every command prints with `--json`."""
        return {
            "version": JSON_VERSION,
            "command": command,
            "ok": self.ok,
            "data": as_json(self.data),
            "errors": [
                {"code": error.code, "message": error.message, "hint": error.hint}
                for error in self.errors
            ],
        }


class Progress(Protocol):
    """Receiver of an action's progress."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Show `text` while the block runs, then its duration."""

    def detail(self, text: str) -> None:
        """Show the latest event of the current step."""

    def note(self, text: str) -> None:
        """Show a line that stays on the screen."""

    def command(self, argv: Sequence[str]) -> None:
        """Show a command that is run, as the user would type it."""


class NoProgress:
    """Progress receiver that discards everything."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Run the block."""
        del text
        yield

    def detail(self, text: str) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def command(self, argv: Sequence[str]) -> None:
        """Do nothing."""
