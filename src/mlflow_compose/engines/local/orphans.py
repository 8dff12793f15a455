"""End the processes of a stack that neither supervisord nor a command controls any more."""

import shlex
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow_compose.engines.local import processes
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.process import ENDS_WITHIN, kill, wait_for_end
from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from psutil import Process


def check_no_units(owner: Owner) -> None:
    """Make sure that no unit of systemd runs the stack: it would restart what is ended.

    Raises:
        EngineError: A unit does.
    """
    import psutil

    for process in processes.of(owner):
        with suppress(psutil.Error, OSError):
            if unit := process.environ().get(processes.UNIT):
                # A pattern for all units of the stack: systemctl then waits until all have ended.
                every = f"{unit.partition('.')[0]}.*"
                raise EngineError(
                    f"systemd runs this stack: process {process.pid} is {unit}",
                    hint=f"sudo systemctl stop {shlex.quote(every)}, then the same command again",
                )


def end_orphans(owner: Owner) -> None:
    """End processes left over from an earlier run of the stack.

    First its supervisord, which cannot be reached or was started in another folder: it would
    restart servers, and as it ends, delete files in that folder, where another stack may be by now.
    With it its guard, which starts it again, and may be doing so.

    Raises:
        EngineError: A process cannot be ended, or systemd runs the stack.
    """
    import psutil

    check_no_units(owner)
    while found := [process for process in processes.of(owner) if _name(process) == ""]:
        _end(found)
    left = [process for process in processes.of(owner) if not _is_in_progress(process)]
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    _end(wait_for_end(left, ENDS_WITHIN))


def end_abandoned_commands(owner: Owner) -> None:
    """Kill commands whose starter was killed, and no process of a service.

    Raises:
        EngineError: A process cannot be killed.
    """
    commands = [process for process in processes.of(owner) if _starter(process) is not None]
    _end([process for process in commands if not _is_in_progress(process)])


def _starter(process: "Process") -> int | None:
    """Return the id of the process that started a command, None for any other process."""
    name = _name(process) or ""
    number = name.removeprefix(processes.COMMAND)
    return int(number) if number != name and number.isdecimal() else None


def _name(process: "Process") -> str | None:
    """Return the name in a process's mark, empty for supervisord, None if it has ended."""
    import psutil

    try:
        return process.environ().get(processes.MARK, "").partition("/")[2]
    except (psutil.Error, OSError):
        return None


def _is_in_progress(process: "Process") -> bool:
    """Tell whether a command's starter still runs; if not, another process adopted it."""
    import psutil

    try:
        return _starter(process) in {parent.pid for parent in process.parents()}
    except psutil.Error:
        return False


def _end(orphans: Collection["Process"]) -> None:
    if alive := kill(orphans):
        raise EngineError(
            "processes left over from an earlier start of this stack cannot be ended: "
            f"{', '.join(sorted(str(process.pid) for process in alive))}",
            hint="end them as their owner or as root, or restart this machine",
        )
