"""The unit that starts a stack at boot."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Characters that need no quotes in a command line of a unit.
PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
OWNER = "Stack"


@dataclass(frozen=True)
class Unit:
    """A service unit for one stack.

    Attributes:
        identity: Stack id.
        project: Name of the stack.
        engine: Engine that runs it.
        env_file: Path of its env file.
        program: Command line of the tool.
        wanted_by: Target that starts the unit.
    """

    identity: str
    project: str
    engine: str
    env_file: Path
    program: Sequence[str]
    wanted_by: str

    @property
    def name(self) -> str:
        """Name of the unit; by the id, so that another stack's never has it."""
        return f"mlflow-compose-{self.identity}.service"

    @property
    def text(self) -> str:
        """Content of the unit file."""
        up, down = (
            self._command("up", "--engine", self.engine, "--no-verify", "--quiet"),
            self._command("down", "--quiet"),
        )
        return f"""\
# Written by `mlflow-compose service install`; `mlflow-compose service remove` deletes it.
[Unit]
Description={_text(f"MLflow stack {self.project} in {self.env_file.parent}")}
After=network.target
ConditionPathExists={_text(str(self.env_file))}

[Service]
# `up` exits once all services are healthy; they go on in the background.
Type=oneshot
RemainAfterExit=yes
ExecStart={up}
ExecStop={down}
TimeoutStopSec=120
# For example, because a disk or a network address is not available yet.
Restart=on-failure
RestartSec=30
# Settings that are wrong stay wrong.
RestartPreventExitStatus=2

[Install]
WantedBy={self.wanted_by}

[X-mlflow-compose]
{OWNER}={self.identity}
"""

    def _command(self, *arguments: str) -> str:
        program, *others = self.program
        words = [*others, f"--env-file={self.env_file}", *arguments]
        # systemd does not expand variables in the program itself, so a dollar sign stays single.
        return " ".join((_word(program).replace("$$", "$"), *map(_word, words)))


def owner_of(text: str) -> str:
    """Return the id of the stack that a unit file was written for, empty if it is not ours."""
    found = re.search(rf"^\[X-mlflow-compose\]\n{OWNER}=(\S+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _word(word: str) -> str:
    """Return a word of a command line as systemd reads it."""
    if PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_text(escaped)}"'


def _text(text: str) -> str:
    """Return text without specifiers."""
    return text.replace("%", "%%")
