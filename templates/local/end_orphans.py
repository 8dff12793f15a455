"""Kill processes that an earlier run of a service left behind, so that its port and files are free.

A server that was killed leaves processes behind that supervisord does not know. Two variables in
their environment identify them: STACK_SERVICE, the stack's id and the service's name, and
STACK_FOLDER, the folder of the stack; if that no longer exists, the stack was moved here. Process
ids would not do: after a restart of the machine, they belong to other programs.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

# Linux's folder of processes, which other systems do not have.
PROC = Path("/proc")
# Seconds to wait until killed processes are gone.
PATIENCE = 10


def main(environ: Mapping[str, str]) -> int:
    """Kill every process of the service in `environ` except this one and its parents."""
    service, folder = environ["STACK_SERVICE"], environ["STACK_FOLDER"]
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [process for process in psutil.process_iter() if belongs(process, service, folder)]
    left = [process for process in found if process.pid not in mine]
    for process in left:
        print(f"killing process {process.pid}, left over from an earlier run")
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + PATIENCE
    while not all(is_gone(process) for process in left):
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.05)
    return 0


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended, even if its parent has not collected its exit status."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def belongs(process: psutil.Process, service: str, folder: str) -> bool:
    """Tell whether a process belongs to a service of the stack in `folder`."""
    try:
        found = process.environ()
        if found.get("STACK_SERVICE") != service or not has_our_root(process.pid):
            return False
    except (psutil.Error, OSError):
        # It has ended meanwhile, or belongs to another user.
        return False
    here = os.path.realpath(folder)
    home = os.path.realpath(found.get("STACK_FOLDER", here))
    # A copy of the stack's folder has the same id until mlflow-compose renders it.
    return home == here or not Path(home).exists()


def has_our_root(pid: int) -> bool:
    """Tell whether a process has the root directory of this one, unlike those of containers."""
    if not (PROC / "self" / "root").exists():
        return True
    return (PROC / "self" / "root").samefile(PROC / str(pid) / "root")


if __name__ == "__main__":
    sys.exit(main(os.environ))
