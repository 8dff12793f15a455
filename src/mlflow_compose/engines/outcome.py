"""The result of a command that ran with a service's configuration."""

import signal
from dataclasses import dataclass

# Exit codes above this one report a signal, as in a shell.
SIGNALED = 128
NO_OUTPUT = "no output"


@dataclass(frozen=True)
class Outcome:
    """The result of a command that ran with a service's configuration.

    Attributes:
        exit_code: Exit code of the command, or of the engine if it could not start it; after a
            signal, SIGNALED plus its number.
        stdout: Standard output, empty if it was passed on while the command ran.
        stderr: Standard error as text.
    """

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def last_line(self) -> str:
        """The last line of its output, where programs report what is wrong."""
        # Compose adds an empty line to standard error if a command fails.
        text = self.stderr.strip() or self.stdout.decode(errors="replace").strip()
        return text.splitlines()[-1] if text else NO_OUTPUT

    @property
    def failure(self) -> str:
        """The last line and how the command ended."""
        line = self.last_line
        # 1 says no more than a line does.
        is_clear = self.exit_code == 1 and line != NO_OUTPUT
        return line if is_clear else f"{line} ({self._end})"

    @property
    def _end(self) -> str:
        try:
            name = signal.Signals(self.exit_code - SIGNALED).name
        except ValueError:
            return f"exit code {self.exit_code}"
        return f"ended by {name}, exit code {self.exit_code}"
