"""A stack on the local engine: processes of this machine."""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import psutil

from .forked import run_forked
from .running import SERVERS, RunningStack
from .tool import environment, run

MARK, HOME = "STACK_SERVICE", "STACK_FOLDER"
VOLUMES = ("jupyter_home", "minio_data", "mlflow_data", "mlflow_tmp", "postgres_data")


class LocalStack(RunningStack):
    """A stack whose processes are found by the supervisord that listens in its folder."""

    engine: ClassVar[str] = "local"
    one_key: bool = True

    @property
    def local_folder(self) -> Path:
        """Folder of the rendered files."""
        return self.folder / "local"

    @property
    def root_key(self) -> tuple[str, str]:
        """The application's key, which is the server's only key."""
        return self.app_key

    @property
    def database_ports(self) -> list[str]:
        """Addresses of the database, which has no private network on this engine."""
        return [f"127.0.0.1:{self.settings['PG_PORT']}"]

    def supervisorctl(self, *arguments: str) -> str:
        """Run plain `supervisorctl` in the rendered folder, with no tool involved."""
        argv = ("supervisorctl", *arguments)
        _, out, _ = run_forked(argv, folder=self.local_folder, env=environment(), seconds=120)
        return out

    def pids(self) -> dict[str, int]:
        """Return the pid of each service that supervisord runs."""
        return {name: pid for name, pid in self._programs().items() if name != "guard"}

    def guard(self) -> int:
        """Return the pid of the script that starts supervisord again, 0 if it does not run."""
        return self._programs().get("guard", 0)

    def _programs(self) -> dict[str, int]:
        if not (self.local_folder / "supervisord.conf").exists():
            return {}
        found = {}
        for line in self.supervisorctl("status").splitlines():
            match line.replace(",", " ").split():
                case [name, "RUNNING" | "STARTING", "pid", pid, *_]:
                    found[name] = int(pid)
        return found

    def drop_override(self) -> None:
        """Do nothing: the local engine has no override file."""

    def ids(self) -> dict[str, str]:
        """Return a digest of each service's rendered files, if the stack runs."""
        if not self.pids():
            return {}
        return {name: self._digest(name) for name in (*SERVERS, "bucket-init")}

    def _digest(self, service: str) -> str:
        files = sorted((self.local_folder / service).glob("*.*"))
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def starts(self, *services: str) -> dict[str, str]:
        """Return each server's pid and start time, except for servers that have just ended."""
        pids, found = self.pids(), {}
        for name in services or SERVERS:
            if name in pids:
                with suppress(psutil.NoSuchProcess):
                    found[name] = f"{pids[name]} since {psutil.Process(pids[name]).create_time()}"
        return found

    def volumes(self) -> set[str]:
        """Return the names of the data folders."""
        return {name for name in VOLUMES if (self.local_folder / "data" / name).exists()}

    def health(self, service: str) -> str:
        """Run the service's rendered health check."""
        if service not in self.pids():
            return ""
        done = run("sh", f"{service}/healthcheck.sh", code=None, folder=self.local_folder)
        return "starting" if done.code else "healthy"

    def kill(self, *services: str) -> None:
        """Kill the processes that supervisord started."""
        pids = self.pids()
        for service in services:
            os.kill(pids[service], 9)

    def kill_supervisord(self) -> None:
        """Kill supervisord, which leaves its processes behind."""
        os.kill(int((self.local_folder / "run" / "supervisord.pid").read_text("utf-8")), 9)

    def stop(self, service: str) -> None:
        """Stop a service, so that it stays stopped."""
        self.supervisorctl("stop", service)

    def restart(self, service: str) -> None:
        """Stop a service and start it again."""
        self.supervisorctl("restart", service)

    def execute(self, service: str, *argv: str, given: str | None = None) -> str:
        """Run a command with a service's packages and environment."""
        script = (self.local_folder / service / "run.sh").read_text(encoding="utf-8")
        settings = "\n".join(
            line for line in script.splitlines() if line.startswith(("PATH=", "export "))
        )
        command = ("sh", "-c", f'{settings}\nexec "$@"', "sh", *argv)
        return run(*command, folder=self.local_folder, env=self._client(), given=given).out

    def _client(self) -> Mapping[str, str]:
        return environment(
            PGHOST="127.0.0.1",
            PGPASSWORD=self.database_password,
        )

    def command_lines(self, service: str) -> str:
        """Return the command lines of a service's process and its children."""
        parent = psutil.Process(self.pids()[service])
        found = (parent, *parent.children(recursive=True))
        return "\n".join(" ".join(process.cmdline()) for process in found)

    def processes(self) -> Iterator[psutil.Process]:
        """Yield all processes of this stack, including supervisord."""
        folder = str(self.local_folder.resolve())
        for process in psutil.process_iter():
            try:
                home = process.environ().get(HOME, "")
            except (psutil.Error, OSError):
                continue
            if home == folder:
                yield process

    def purge(self) -> None:
        """Kill all processes and delete the data, whatever state they are in."""
        self.tool("down", "--volumes", "--yes", code=None)
        self.discard()

    def discard(self) -> None:
        """Kill all processes, which takes a fraction of the time of the tool's `down`."""
        while left := list(self.processes()):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    # PostgreSQL ends at once, but removes its shared memory before.
                    is_database = process.name() == "postgres"
                    process.send_signal(signal.SIGQUIT if is_database else signal.SIGKILL)
            _, alive = psutil.wait_procs(left, timeout=10)
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        database = self.local_folder / "data" / "postgres_data"
        if database.is_symlink():
            shutil.rmtree(database.resolve().parent)
            database.unlink()

    def keep_logs(self, folder: Path) -> None:
        """Copy the logs, and write supervisord's status."""
        logs = self.local_folder / "logs"
        if logs.exists():
            shutil.copytree(logs, folder, dirs_exist_ok=True)
            listed: Any = subprocess.run(
                ["ps", "-eo", "pid,ppid,etime,args"], capture_output=True, check=False
            )
            (folder / "ps.txt").write_bytes(listed.stdout)
            (folder / "status.txt").write_text(self.supervisorctl("status"), encoding="utf-8")
