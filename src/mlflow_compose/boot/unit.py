"""The unit that starts a stack at boot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.boot.words import command_line, literal, owned_by


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
Description={literal(f"MLflow stack {self.project} in {self.env_file.parent}")}
After=network.target
ConditionPathExists={literal(str(self.env_file))}

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

{owned_by(self.identity)}"""

    def _command(self, *arguments: str) -> str:
        program, *others = self.program
        return command_line(program, [*others, f"--env-file={self.env_file}", *arguments])
