"""Start a stack when this machine boots: a unit of systemd, and whether it starts one itself.

The text of a unit is a pure function of the stack. `systemctl` is called in one place.
"""

from mlflow_compose.boot.systemd import Manager, is_enabled, manager_of, systemctl
from mlflow_compose.boot.unit import Unit, owner_of

__all__ = ["Manager", "Unit", "is_enabled", "manager_of", "owner_of", "systemctl"]
