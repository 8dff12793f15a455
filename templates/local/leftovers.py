"""End what an earlier life of a service left running, so that its port and files are free.

A server that was killed leaves processes behind that the supervisor does not know. They are found
by STACK_SERVICE in their environment: the folder of the stack's files, then the service's name.
Process numbers would not do: after a restart of the machine they are other programs'.
"""

import os
import sys
import time
from contextlib import suppress

import psutil

# Seconds that the system may take to remove a killed process.
PATIENCE = 10


def main(mark: str) -> int:
    """Kill every process of `mark`, which is one service, or a folder for all in it."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [process for process in psutil.process_iter() if belongs(process, mark)]
    left = [process for process in found if process.pid not in mine]
    for process in left:
        print(f"ending process {process.pid}, which an earlier life left behind")
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + PATIENCE
    while not all(is_gone(process) for process in left):
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.05)
    return 0


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process holds nothing any more; its number may stay for its parent."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def belongs(process: psutil.Process, mark: str) -> bool:
    """Tell whether a process was started for `mark`."""
    try:
        found = process.environ().get("STACK_SERVICE", "")
    except (psutil.Error, OSError):
        # It ended meanwhile, or is another user's.
        return False
    return found == mark or found.startswith(f"{mark}/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
