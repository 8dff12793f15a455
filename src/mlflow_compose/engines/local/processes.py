"""The processes of a stack, including those that supervisord no longer supervises."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose import machine
from mlflow_compose.engines.ports import STACK_FOLDER
from mlflow_compose.errors import FilesError
from mlflow_compose.identity import read_id

if TYPE_CHECKING:
    from psutil import Process

# Environment variables of every process of a stack: the stack's id, followed by a slash and the
# name in a service's processes; and the folder of the rendered files.
MARK, HOME = "STACK_SERVICE", STACK_FOLDER
# Of services that systemd runs: the name of their unit.
UNIT = "STACK_UNIT"
# In place of a service's name: a command, followed by the id of the process that started it.
COMMAND = "command/"
# Linux's folder of processes, which other systems do not have.
PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """A stack as identified by the environment of its processes.

    Attributes:
        identity: Stack id.
        folder: Folder of its rendered files.
    """

    identity: str
    folder: Path

    @property
    def marks(self) -> dict[str, str]:
        """The variables that supervisord is started with."""
        return {MARK: self.identity, HOME: str(self.folder)}

    @property
    def command_marks(self) -> dict[str, str]:
        """The variables of a command that this process starts beside the services."""
        return {MARK: f"{self.identity}/{COMMAND}{os.getpid()}", HOME: str(self.folder)}

    def has(self, pid: int) -> bool:
        """Tell whether a process was started for this stack."""
        import psutil

        try:
            process = psutil.Process(pid)
            found = process.environ()
            if found.get(MARK, "").partition("/")[0] != self.identity:
                return False
            # Root can read every process's environment, and the id is not secret.
            if process.uids().real not in self._users() or not _has_our_root(pid):
                return False
        except (psutil.Error, OSError):
            # It has ended, or is another user's.
            return False
        home = Path(found.get(HOME) or self.folder).resolve()
        if home == self.folder or not home.exists():
            # A folder that no longer exists was moved here.
            return True
        # Likewise if another stack is in that folder by now.
        return _id_of(home.parent) not in {"", self.identity}

    def _users(self) -> set[int]:
        """Return the users that may run its processes: this one, and those that own its files."""
        found = {os.getuid()}
        with suppress(OSError):
            found.add(self.folder.stat().st_uid)
        if name := machine.database_user():
            import pwd

            with suppress(KeyError):
                found.add(pwd.getpwnam(name).pw_uid)
        return found


def _has_our_root(pid: int) -> bool:
    """Tell whether a process has the root directory of this one: if not, its paths are others.

    This machine may see the processes of containers, and their stacks may have the same path.

    Raises:
        OSError: The process has ended, or is another user's.
    """
    if not (PROC / "self" / "root").exists():
        return True
    return (PROC / "self" / "root").samefile(PROC / str(pid) / "root")


def _id_of(root: Path) -> str:
    try:
        return read_id(root)
    except FilesError:
        return ""


def of(owner: Owner) -> Iterator["Process"]:
    """Yield every process that was started for a stack."""
    import psutil

    for process in psutil.process_iter():
        if owner.has(process.pid):
            yield process


def stack_folder_of(pid: int) -> str:
    """Return the folder of the stack that a process belongs to, empty if there is none."""
    import psutil

    try:
        return psutil.Process(pid).environ().get(HOME, "")
    except psutil.Error:
        return ""


def is_supervisord_in(pid: int, folder: Path) -> bool:
    """Tell whether a process is a supervisord that was started in a folder."""
    import psutil

    try:
        process = psutil.Process(pid)
        return Path(process.cwd()) == folder and "supervisord" in " ".join(process.cmdline())
    except (psutil.Error, OSError):
        return False


def process_using(folder: Path, data: Collection[Path]) -> str:
    """Describe any user's process that uses data; empty if none is visible.

    Such a process has its working directory or an open file in there, or its path as an argument.

    Args:
        folder: Folder of the rendered files, which is the servers' working directory.
        data: Folders below it.
    """
    import psutil

    resolved = [path.resolve() for path in data]
    paths = [str(path) for path in (*data, *resolved)]
    names = [str(path.relative_to(folder)) for path in data]
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            cwd, arguments = Path(process.cwd()), process.cmdline()
            known = [*paths, *names] if cwd == folder else paths
            named = any(name in argument for name in known for argument in arguments)
            files = (Path(file.path) for file in process.open_files())
            if named or any(_is_within(path, resolved) for path in (cwd, *files)):
                return f"{process.name()} (pid {process.pid})"
    return ""


def _is_within(path: Path, folders: Collection[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; a zombie has, too."""
    import psutil

    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ports_of(owner: Owner) -> frozenset[int]:
    """Return the ports that the processes of a stack listen on."""
    return frozenset(port for process in of(owner) for port in listening(process))


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
    """Return the age of a process in seconds, 0 if it does not exist."""
    import psutil

    try:
        return time.time() - psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0
