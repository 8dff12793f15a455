"""The stack without Docker."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from bench.commands import CommandError, StillRunningError, free_ports, run, tool
from bench.stack import access
from mlflow_compose.settings.envfile import read

# Variable of every process: the stack's id and the service's name.
SERVICE = "STACK_SERVICE"


class LocalStack:
    """A stack of this project without Docker."""

    restarts = True

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        """Write the `.env` of a stack into a folder."""
        self.mlflow_port, s3, self.database_port = free_ports(3)
        given = {
            "MLFLOW_PORT": self.mlflow_port,
            "MINIO_PORT": s3,
            "PG_PORT": self.database_port,
            **settings,
        }
        self.folder = folder / "local"
        self.environment_file = str(folder / ".env")
        self.env = ("--env-file", self.environment_file)
        tool(*self.env, "init", *(f"--set={name}={value}" for name, value in given.items()))
        self.url = f"http://127.0.0.1:{self.mlflow_port}"
        self.s3, self.login = access(folder / ".env")
        self.password = read(folder / ".env").values["PG_PASSWORD"]

    def prepare(self) -> None:
        """Install all packages, by starting once."""
        try:
            self.up()
        finally:
            self.down()

    def up(self) -> None:
        """Start the stack and wait until it is healthy."""
        tool(*self.env, "up", "--no-verify")

    def down(self) -> None:
        """Stop the stack and delete its data."""
        try:
            tool(*self.env, "down", "--volumes", "--yes")
        except CommandError as error:
            again = f"mlflow-compose --env-file {self.environment_file} down --volumes --yes"
            raise StillRunningError(
                f"{error}\nthe stack may still be running, so its files stay in"
                f" {self.folder.parent}\nhint: {again}"
            ) from error

    def supervisor(self) -> psutil.Process:
        """Return supervisord's process."""
        (path,) = self.folder.rglob("supervisord.pid")
        return psutil.Process(int(path.read_text(encoding="ascii")))

    def services(self) -> Mapping[str, int]:
        """Return the first process of each service."""
        found = {}
        for process in self.supervisor().children():
            with suppress(psutil.Error):
                name = process.environ().get(SERVICE, "").rpartition("/")[2]
                found[name or process.name()] = process.pid
        return found

    def first_processes(self) -> list[int]:
        """Return supervisord's process, which starts all others."""
        return [self.supervisor().pid]

    def overhead(self) -> list[int]:
        """Return no process: supervisord is part of the stack."""
        return []

    def sql(self, statements: str) -> str:
        """Run SQL with the psql of the running server's packages."""
        server = psutil.Process(self.services()["postgres"])
        psql = Path(server.exe()).with_name("psql")
        options = ("-qtA", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "mlflow")
        port = ("-p", str(self.database_port))
        environ = {"PGPASSWORD": self.password}
        return run(str(psql), *options, *port, "mlflow", environ=environ, text=statements)
