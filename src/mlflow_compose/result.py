"""What an action gives back, and how it says what it is doing meanwhile."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.payloads import NOTHING, Payload, as_json

JSON_VERSION = 1


@dataclass(frozen=True)
class Result:
    """The outcome of one command.

    Attributes:
        data: Payload for `--json`.
        lines: The same as text for people.
        errors: Errors; empty if the command succeeded.
    """

    data: Payload = NOTHING
    lines: Sequence[str] = ()
    errors: Sequence[MlflowComposeError] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not self.errors

    @property
    def exit_code(self) -> int:
        """The process's exit code: 0, or that of the first error."""
        return self.errors[0].exit_code if self.errors else 0

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
    """Receiver of what an action does while it runs."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Show `text` while the block runs, and how long it took afterwards."""

    def detail(self, text: str) -> None:
        """Show the latest event of the current step."""

    def note(self, text: str) -> None:
        """Show one line that stays on the screen."""

    def command(self, argv: Sequence[str]) -> None:
        """Show a command that is run for the user, so that people learn it."""


class Silent:
    """Progress for programs and tests: says nothing."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Run the block."""
        del text
        yield

    def detail(self, text: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def command(self, argv: Sequence[str]) -> None:
        """Say nothing."""
