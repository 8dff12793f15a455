"""`backup --every`: let systemd or cron take backups."""

import shutil
import sys
from collections.abc import Mapping, Sequence

from mlflow_compose.actions.plan import Plan
from mlflow_compose.boot import (
    BackupTimer,
    Every,
    Manager,
    check_owner,
    entry,
    every,
    has_systemd,
    own_manager,
    read_crontab,
    remove_units,
    replaced,
    systemctl,
    unit_names,
    write_crontab,
    write_units,
)
from mlflow_compose.errors import BootError
from mlflow_compose.identity import keep_identity
from mlflow_compose.payloads import BackupScheduled
from mlflow_compose.result import Result

NEVER = "never"
REMOVE = "Remove     mlflow-compose backup --every never"
MINUTES = 60


def schedule_backups(plan: Plan, interval: str, options: Sequence[str]) -> Result:
    """Let systemd take backups of the stack, or cron where systemd does not run.

    Args:
        plan: The stack.
        interval: Interval such as 6h; `never` for no backups.
        options: Options of `backup`, with absolute paths.

    Raises:
        UsageError: The interval is none that systemd and cron know.
        BootError: There is neither, it refuses, or a unit's file is another stack's.
    """
    command = _command(plan, options)
    manager = _manager(plan.environ)
    if interval == NEVER:
        return _never(plan, manager, command)
    # Not the same minute for all stacks of a machine.
    chosen = every(interval, int(plan.identity.id, 16) % MINUTES)
    keep_identity(plan.identity, plan.paths)
    if not has_systemd(manager):
        return _by_cron(plan, manager, chosen, command)
    # A line from before the machine had systemd would take every backup twice.
    _remove_line(plan.identity.id)
    return _by_systemd(plan, manager, chosen, command)


def _by_systemd(plan: Plan, manager: Manager, chosen: Every, command: Sequence[str]) -> Result:
    identity = plan.identity.id
    texts = BackupTimer(identity, plan.stack.name, chosen, command).texts
    _, timer = unit_names(identity)
    for name in texts:
        check_owner(manager.folder / name, identity)
    write_units(manager, texts, timer, now=True)
    lines = [f"{timer} takes a backup every {chosen.text}", REMOVE]
    if not manager.starts_at_boot:
        lines.insert(
            1,
            f"only while {manager.user} is logged in; "
            f"`loginctl enable-linger {manager.user}` changes that",
        )
    unit = str(manager.folder / timer)
    return Result(BackupScheduled(chosen.text, "systemd", unit, command), lines)


def _by_cron(plan: Plan, manager: Manager, chosen: Every, command: Sequence[str]) -> Result:
    identity = plan.identity.id
    _, timer = unit_names(identity)
    if (manager.folder / timer).exists():
        raise BootError(
            f"{timer} takes backups already, but systemd cannot be reached to change it",
            hint="log in as this user (not with su), then run the same command again",
        )
    line = entry(chosen, command, identity)
    write_crontab(replaced(read_crontab(), identity, line))
    lines = [f"a line in your crontab takes a backup every {chosen.text}", REMOVE]
    return Result(BackupScheduled(chosen.text, "cron", None, command), lines)


def _never(plan: Plan, manager: Manager, command: Sequence[str]) -> Result:
    """Delete the units and the line of the stack, if there are any."""
    identity = plan.identity.id
    # First, since it needs no systemd.
    had_line = _remove_line(identity)
    _, timer = names = unit_names(identity)
    found = [name for name in names if (manager.folder / name).exists()]
    for name in found:
        check_owner(manager.folder / name, identity)
    if found:
        systemctl(manager.flags, "daemon-reload")
        remove_units(manager, found, timer, now=True)
    done = "no backups are taken any more" if found or had_line else "no backups were scheduled"
    return Result(BackupScheduled(None, None, None, command), [done])


def _remove_line(identity: str) -> bool:
    """Delete the stack's line from the crontab; return whether there was one."""
    if shutil.which("crontab") is None:
        return False
    try:
        before = read_crontab()
    except BootError:
        # Those who may not have a crontab have no line in it.
        return False
    after = replaced(before, identity, None)
    if after != before:
        write_crontab(after)
    return after != before


def _command(plan: Plan, options: Sequence[str]) -> Sequence[str]:
    tool = (sys.executable, "-m", "mlflow_compose", f"--env-file={plan.paths.env_file}")
    # Not of another stack that has the same folder one day.
    return (*tool, "backup", "--quiet", f"--only-of={plan.identity.id}", *options)


def _manager(environ: Mapping[str, str]) -> Manager:
    if sys.platform == "win32":
        raise BootError(
            "backups are scheduled by systemd or cron, which Windows does not have",
            hint="let Task Scheduler run mlflow-compose backup",
        )
    return own_manager(environ)
