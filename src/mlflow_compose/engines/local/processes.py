"""The processes of a stack, also those that supervisord does not know any more."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from psutil import Process

# Every process of a stack has this variable: the folder of the stack's files, or more.
MARK = "STACK_SERVICE"


def end_leftovers(folder: Path) -> None:
    """End what an earlier life of the stack left running: nobody watches it any more.

    Raises:
        EngineError: Something would not end.
    """
    script = folder / "leftovers.py"
    if not script.exists():
        return
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineError(
            "processes that an earlier start of this stack left behind do not end",
            hint="restart this machine, or ask who may end them",
        )


def listening(pid: int) -> Iterator[int]:
    """Yield the ports that a process and its children listen on."""
    import psutil

    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            yield from _listening(process)
    except psutil.Error:
        return


def _listening(process: "Process") -> Iterator[int]:
    import psutil

    for connection in process.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN:
            yield connection.laddr.port


def age(pid: int) -> float:
    """Return how many seconds ago a process was started; 0 where there is none."""
    import psutil

    try:
        return time.time() - psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0
