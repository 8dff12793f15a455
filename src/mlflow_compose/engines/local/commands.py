"""Run commands with the packages, the environment and the secrets of a service."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mlflow_compose.engines.base import FOLDER_VARIABLE, Output, SharedFolder, Start
from mlflow_compose.engines.local import orphans
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.supervisor import CONFIGURATION
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import attach, run_process
from mlflow_compose.stack import Stack

# Folders of programs, below the folder of the packages.
PROGRAMS = ("bin", "postgresql/bin")


@dataclass(frozen=True)
class Commands:
    """Runs commands beside the services of a stack.

    Attributes:
        stack: Stack with the services.
        folder: Folder of its rendered files.
        owner: Marks of the stack's processes.
        environ: Variables that every process gets.
    """

    stack: Stack
    folder: Path
    owner: Owner
    environ: Mapping[str, str] = field(repr=False)

    def run(  # noqa: PLR0913 - independent options
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None,
        folder: SharedFolder | None,
        on_output: Output | None,
        on_start: Start | None,
    ) -> Outcome:
        """Run a command to its end, as described by `Engine.run`."""
        if missing := self._missing(service):
            return missing
        shared = {FOLDER_VARIABLE: str(folder.path)} if folder else {}
        return run_process(
            command,
            folder=self.folder,
            environ={**self._environ(service), **shared},
            stdin=stdin,
            on_output=on_output,
            on_start=on_start,
        )

    def attach(self, service: str, command: Sequence[str]) -> Outcome:
        """Run a command, connected to the standard streams of this process."""
        if missing := self._missing(service):
            return missing
        return attach(command, folder=self.folder, environ=self._environ(service))

    def _missing(self, service: str) -> Outcome | None:
        """Return the outcome of a command whose packages or whose stack's files are missing."""
        python = Path(self.stack.service(service).image) / PROGRAMS[0] / "python"
        for needed in (python, self.folder / CONFIGURATION):
            if not needed.exists():
                return Outcome(1, b"", f"{needed} is missing: mlflow-compose up creates it")
        return None

    def _environ(self, service: str) -> dict[str, str]:
        found = self.stack.service(service)
        # An import that is resumed must not meet what the killed one started.
        orphans.end_abandoned_commands(self.owner)
        programs = [str(Path(found.image) / path) for path in PROGRAMS]
        path = [*programs, self.environ.get("PATH", os.defpath)]
        if found.is_tool and self.stack.stores.runs.external:
            # The wheel's clients know no TLS, which an external database may require.
            path.reverse()
        # As in `run.sh`: bytecode next to scripts would make them look changed.
        given = {"PATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**self.environ, **found.environment, **given, **self.owner.command_marks}
