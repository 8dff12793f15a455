"""`service`: start a stack when this machine boots."""

import sys
from pathlib import Path

from mlflow_compose.actions.plan import Plan
from mlflow_compose.boot import (
    Manager,
    Unit,
    check_owner,
    is_enabled,
    own_manager,
    remove_units,
    systemctl,
    write_units,
)
from mlflow_compose.errors import BootError
from mlflow_compose.identity import keep_identity
from mlflow_compose.payloads import BootService
from mlflow_compose.result import Result


def install_service(plan: Plan) -> Result:
    """Let systemd start the stack at boot; if a daemon does, make sure that it starts itself.

    Raises:
        BootError: There is no systemd, it refuses, or the unit's file is another stack's.
    """
    if plan.target.daemon:
        return _daemon(plan, needed=True)
    manager, unit, path = _unit(plan)
    check_owner(path, unit.identity)
    # Before anything is written: it fails without a running systemd.
    systemctl(manager.flags, "daemon-reload")
    keep_identity(plan.identity, plan.paths)
    write_units(manager, {unit.name: unit.text}, unit.name)
    return service_status(plan)


def remove_service(plan: Plan) -> Result:
    """Delete the stack's unit; the stack itself goes on.

    Raises:
        BootError: There is no systemd, it refuses, or the unit's file is another stack's.
    """
    if plan.target.daemon:
        return _daemon(plan)
    manager, unit, path = _unit(plan)
    if path.exists():
        check_owner(path, unit.identity)
        remove_units(manager, [unit.name], unit.name)
    return service_status(plan)


def service_status(plan: Plan) -> Result:
    """Return whether the stack starts at boot.

    Raises:
        BootError: There is no systemd.
    """
    if plan.target.daemon:
        return _daemon(plan)
    if plan.stack.site.namespace:
        return _in_cluster(plan)
    return _by_unit(plan)


def _by_unit(plan: Plan) -> Result:
    """Return whether the unit of this tool starts the stack at boot."""
    manager, unit, path = _unit(plan)
    if not path.exists():
        detail = "the stack does not start at boot; mlflow-compose service install changes that"
        return _result(plan, None, detail, at_boot=False)
    if path.read_bytes() != unit.text.encode():
        detail = f"{path} is outdated; mlflow-compose service install writes it again"
        return _result(plan, path, detail, at_boot=False)
    if not is_enabled(manager.flags, unit.name):
        detail = f"{unit.name} is disabled; mlflow-compose service install enables it"
        return _result(plan, path, detail, at_boot=False)
    if not manager.starts_at_boot:
        detail = (
            f"{unit.name} starts the stack when {manager.user} logs in; "
            f"`loginctl enable-linger {manager.user}` lets it start at boot"
        )
        return _result(plan, path, detail, at_boot=False)
    return _result(plan, path, f"{unit.name} starts the stack at boot", at_boot=True)


def _in_cluster(plan: Plan) -> Result:
    """Return that the cluster restarts the stack, or that a unit of another engine is left."""
    path = installed_unit(plan)
    if path is None:
        detail = "the cluster starts the stack again, and this machine has no part in it"
        return _result(plan, None, detail, at_boot=None)
    detail = (
        f"{path} is left from another engine, and starts the stack on this machine; "
        "mlflow-compose service remove deletes it"
    )
    return _result(plan, path, detail, at_boot=None)


def installed_unit(plan: Plan) -> Path | None:
    """Return the unit that starts a stack at boot by this tool, None if there is none."""
    if plan.target.daemon:
        return None
    _, _, path = _unit(plan)
    return path if path.exists() else None


def _unit(plan: Plan) -> tuple[Manager, Unit, Path]:
    manager = own_manager(plan.environ)
    unit = Unit(
        plan.identity.id,
        plan.stack.name,
        plan.target.engine,
        plan.paths.env_file,
        (sys.executable, "-m", "mlflow_compose"),
        manager.wanted_by,
    )
    return manager, unit, manager.folder / unit.name


def _daemon(plan: Plan, *, needed: bool = False) -> Result:
    """Return whether the daemon that restarts the stack's services starts at boot itself."""
    daemon = plan.target.daemon
    try:
        # Rootless Docker is a service of its user.
        enabled = any(is_enabled(flags, daemon) for flags in ((), ("--user",)))
    except BootError:
        detail = (
            f"{daemon} restarts the stack when it starts, but without systemctl it is unknown "
            "whether it starts at boot; Docker Desktop has a setting for that"
        )
        return _result(plan, None, detail, at_boot=None)
    if enabled:
        detail = f"{daemon} starts at boot, and restarts the stack, unless it is down"
        return _result(plan, None, detail, at_boot=True)
    detail = f"{daemon} does not start at boot, so the stack does not either"
    if needed:
        raise BootError(detail, hint=f"sudo systemctl enable {daemon}")
    return _result(plan, None, detail, at_boot=False)


def _result(plan: Plan, unit: Path | None, detail: str, *, at_boot: bool | None) -> Result:
    path = str(unit) if unit else None
    return Result(BootService(plan.target.engine, path, at_boot, detail), [detail])
