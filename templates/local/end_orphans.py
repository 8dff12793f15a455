"""End what an earlier life of a service left running, so that its port and files are free.

A server that was killed leaves processes behind that the supervisor does not know. They are found
by two variables of their environment: STACK_SERVICE, the stack's id and the service's name, and
STACK_FOLDER, where the stack is; one that is gone was moved here. Process numbers would not do:
after a restart of the machine they are other programs'.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

# Seconds that the system may take to remove a killed process.
PATIENCE = 10


def main(environ: Mapping[str, str]) -> int:
    """Kill every process of the service that `environ` names but this one and its parents."""
    service, folder = environ["STACK_SERVICE"], environ["STACK_FOLDER"]
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [process for process in psutil.process_iter() if belongs(process, service, folder)]
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


def belongs(process: psutil.Process, service: str, folder: str) -> bool:
    """Tell whether a process was started for a service of the stack in `folder`."""
    try:
        found = process.environ()
    except (psutil.Error, OSError):
        # It ended meanwhile, or is another user's.
        return False
    here = os.path.realpath(folder)
    home = os.path.realpath(found.get("STACK_FOLDER", here))
    # A copy of the stack's files that is run as it is has the same id.
    return found.get("STACK_SERVICE") == service and (home == here or not Path(home).exists())


if __name__ == "__main__":
    sys.exit(main(os.environ))
