"""What systemd or cron does for a stack: start it at boot, and back it up at times.

The texts of units and the lines of a crontab are pure functions of the stack. `systemctl` and
`crontab` are called in one place each.
"""

from mlflow_compose.boot.cron import entry, read_crontab, replaced, write_crontab
from mlflow_compose.boot.every import Every, every
from mlflow_compose.boot.systemd import (
    Manager,
    has_systemd,
    is_enabled,
    own_manager,
    systemctl,
)
from mlflow_compose.boot.timer import BackupTimer, unit_names
from mlflow_compose.boot.unit import Unit
from mlflow_compose.boot.unit_files import check_owner, remove_units, write_units

__all__ = [
    "BackupTimer",
    "Every",
    "Manager",
    "Unit",
    "check_owner",
    "entry",
    "every",
    "has_systemd",
    "is_enabled",
    "own_manager",
    "read_crontab",
    "remove_units",
    "replaced",
    "systemctl",
    "unit_names",
    "write_crontab",
    "write_units",
]
