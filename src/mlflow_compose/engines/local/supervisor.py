"""Start, query and stop supervisord."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mlflow_compose.engines.local import processes
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.errors import EngineError

CONFIGURATION = "supervisord.conf"
# The program that starts supervisord again after it was killed.
GUARD = "guard"
# Folder of PID files and marker files.
RUN = "run"
# Seconds until it must answer, until it must have ended, and between checks.
STARTS_WITHIN, ENDS_WITHIN, POLL_EVERY = 15, 60, 0.1

STOPPING = "STOPPING"
# Not a fault: it runs, but did not answer.
BUSY = -1
# Its fault codes.
ENDING, ALREADY_STARTED, NOT_RUNNING = 6, 60, 70


@dataclass(frozen=True)
class Process:
    """The state of a program in supervisord.

    Attributes:
        name: Service name.
        state: supervisord's name of the state.
        pid: Process id, 0 if it is not running.
        started: Time of the last start, in seconds since 1970; 0 if it was never started.
        exit_code: Exit code of the last process that ended.
    """

    name: str
    state: str
    pid: int
    started: int
    exit_code: int


class Supervisor:
    """The supervisord of one stack, in the folder of its rendered files."""

    def __init__(self, owner: Owner, socket: str) -> None:
        self._owner = owner
        self._folder = owner.folder
        self._socket = owner.folder / socket

    def answers(self) -> bool:
        """Tell whether it is running; wait for one that is ending."""
        _wait_for(lambda: self._state() != ENDING, ENDS_WITHIN)
        return self._state() is not None

    def start(self, environ: Mapping[str, str]) -> None:
        """Start it as a daemon, which outlives the terminal.

        Raises:
            EngineError: It did not start.
        """
        self._check_folder()
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", CONFIGURATION],
            cwd=self._folder,
            # For `guard.sh`, which starts it again in the same way.
            env={**environ, **self._owner.marks, "STACK_PYTHON": sys.executable},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
            why = errors[-1].removeprefix("Error: ") if errors else f"exit code {done.returncode}"
            raise EngineError(f"supervisord did not start: {why}")
        if not _wait_for(self.answers, STARTS_WITHIN):
            raise EngineError(
                f"supervisord did not answer within {STARTS_WITHIN} seconds",
                hint=f"{self._folder / 'logs' / 'supervisord.log'} may show why",
            )

    def _check_folder(self) -> None:
        """Make sure that no other user can replace the socket."""
        folder = self._socket.parent
        if folder.is_relative_to(self._folder):
            # Its permissions are up to the stack's owner.
            return
        with suppress(FileExistsError):
            folder.mkdir(mode=stat.S_IRWXU)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise EngineError(
                f"{folder} belongs to another user", hint="move the stack to a shorter path"
            )

    def processes(self) -> dict[str, Process]:
        """Return the state of every program."""
        with self._rpc() as rpc:
            found = rpc.getAllProcessInfo()
        return {
            info["name"]: Process(
                info["name"], info["statename"], info["pid"], info["start"], info["exitstatus"]
            )
            for info in found
        }

    def was_moved(self) -> bool:
        """Tell whether the folder was renamed since it started."""
        with self._rpc() as rpc:
            return processes.stack_folder_of(rpc.getPID()) not in {"", str(self._folder)}

    def start_process(self, name: str) -> None:
        """Start a program that is not running, after waiting for one that is being stopped."""
        # supervisord would do nothing, and report that it did.
        _wait_for(lambda: self.processes()[name].state != STOPPING, ENDS_WITHIN)
        self._call("startProcess", name, ALREADY_STARTED)

    def stop_process(self, name: str) -> None:
        """Stop a program and wait for its end."""
        self._call("stopProcess", name, NOT_RUNNING)

    def update(self) -> None:
        """Read the configuration again: start new programs, stop those that it no longer has."""
        with self._rpc() as rpc:
            ((added, changed, removed),) = rpc.reloadConfig()
            for name in (*removed, *changed):
                rpc.stopProcessGroup(name)
                rpc.removeProcessGroup(name)
            for name in (*changed, *added):
                rpc.addProcessGroup(name)

    def shut_down(self) -> bool:
        """Stop all programs, then supervisord; return whether it ended."""
        with self._rpc() as rpc:
            pid = rpc.getPID()
            rpc.shutdown()
        # Waiting for the socket to close is not enough: it still ends its last programs then.
        return _wait_for(lambda: processes.is_gone(pid), ENDS_WITHIN)

    def _state(self) -> int | None:
        """Return 0, BUSY, or the code of its fault; None if it is not running."""
        from xmlrpc.client import Fault

        try:
            self._check_folder()
            with self._rpc() as rpc:
                rpc.getState()
                pid = rpc.getPID()
        except Fault as fault:
            return int(fault.faultCode)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError, PermissionError):
            return None
        except OSError:
            # It closed the connection, which it does under load, so it is running.
            return BUSY
        # A copy of the stack has the same path of a socket outside of its folder.
        is_own = self._owner.has(pid) or processes.is_supervisord_in(pid, self._folder)
        return 0 if is_own else None

    def _call(self, method: str, name: str, accepted: int) -> None:
        from xmlrpc.client import Fault

        try:
            with self._rpc() as rpc:
                # Does not wait for a start: health checks do.
                getattr(rpc, method)(name, method == "stopProcess")
        except Fault as fault:
            if fault.faultCode != accepted:
                raise EngineError(f"supervisord: {fault.faultString}") from None

    @contextmanager
    def _rpc(self) -> Iterator[Any]:
        from xmlrpc.client import ServerProxy

        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()


def _wait_for(condition: Any, seconds: float) -> bool:  # noqa: ANN401 - any callable
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_EVERY)
    return True


def is_running(owner: Owner) -> bool:
    """Tell whether a stack's supervisord runs, even if it was not started by mlflow-compose."""
    try:
        pid = int((owner.folder / RUN / "supervisord.pid").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return owner.has(pid) or processes.is_supervisord_in(pid, owner.folder)
