"""The processes of a stack, also those that supervisord does not know any more."""

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from psutil import Process

# Every process of a stack has this variable: the folder of the stack's files, or more.
MARK = "STACK_SERVICE"
# Seconds that the system may take to remove a killed process.
PATIENCE, LOOK_EVERY = 10, 0.05


def belongs(pid: int, folder: Path) -> bool:
    """Tell whether a process was started for the stack in `folder`."""
    import psutil

    try:
        mark = psutil.Process(pid).environ().get(MARK, "")
    except (psutil.Error, OSError):
        # It ended meanwhile, or is another user's.
        return False
    return mark == str(folder) or mark.startswith(f"{folder}/")


def of(folders: Collection[Path]) -> Iterator["Process"]:
    """Yield every process that was started for the stack in one of `folders`."""
    import psutil

    for process in psutil.process_iter():
        if any(belongs(process.pid, folder) for folder in folders):
            yield process


def end_leftovers(folders: Collection[Path]) -> None:
    """End what an earlier life of the stack left running: nobody watches it any more.

    Raises:
        EngineError: Something would not end.
    """
    import psutil

    left = list(of(folders))
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + PATIENCE
    while (alive := [one for one in left if not is_gone(one.pid)]) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    if alive:
        raise EngineError(
            "processes that an earlier start of this stack left behind do not end: "
            f"{', '.join(str(process.pid) for process in alive)}",
            hint="restart this machine, or ask who may end them",
        )


def is_gone(pid: int) -> bool:
    """Tell whether a process holds nothing any more; its number may stay for its parent."""
    import psutil

    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def listening(process: "Process") -> Iterator[int]:
    """Yield the ports that a process listens on."""
    import psutil

    try:
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                yield connection.laddr.port
    except psutil.Error:
        return


def age(pid: int) -> float:
    """Return how many seconds ago a process was started; 0 where there is none."""
    import psutil

    try:
        return time.time() - psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0
