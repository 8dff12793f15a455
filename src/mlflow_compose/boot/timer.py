"""The units that take a backup of a stack at times."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.boot.every import Every
from mlflow_compose.boot.words import command_line, literal, owned_by

REMOVE = "mlflow-compose backup --every never"


def unit_names(identity: str) -> tuple[str, str]:
    """Return the names of the service and its timer; by the id, so that no other stack has them."""
    stem = f"mlflow-compose-backup-{identity}"
    return f"{stem}.service", f"{stem}.timer"


@dataclass(frozen=True)
class BackupTimer:
    """A timer, and the service that it starts.

    Attributes:
        identity: Stack id.
        project: Name of the stack.
        every: Interval.
        command: Command that takes a backup.
    """

    identity: str
    project: str
    every: Every
    command: Sequence[str]

    @property
    def texts(self) -> dict[str, str]:
        """Contents of the unit files by name."""
        service, timer = unit_names(self.identity)
        return {service: self._service, timer: self._timer}

    @property
    def _service(self) -> str:
        program, *others = self.command
        return f"""\
# Written by `mlflow-compose backup --every`; `{REMOVE}` deletes it.
[Unit]
Description={literal(f"Backup of the MLflow stack {self.project}")}
# What fails again and again must not fill the disk with snapshots.
StartLimitIntervalSec=1200
StartLimitBurst=4

[Service]
Type=oneshot
ExecStart={command_line(program, others)}
# Servers that others use go first.
Nice=10
# For example, because another command was running.
Restart=on-failure
RestartSec=300
# A stack that is down, or settings that are wrong.
RestartPreventExitStatus=2

{owned_by(self.identity)}"""

    @property
    def _timer(self) -> str:
        return f"""\
# Written by `mlflow-compose backup --every`; `{REMOVE}` deletes it.
[Unit]
Description={literal(f"Backups of the MLflow stack {self.project}, every {self.every.text}")}

[Timer]
OnCalendar={self.every.calendar}
# After a time at which the machine was off, take the backup that was missed.
Persistent=true

[Install]
WantedBy=timers.target

{owned_by(self.identity)}"""
