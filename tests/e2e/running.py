"""A stack as scenarios see it, whatever engine runs it."""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from dotenv import dotenv_values

from mlflow_compose.settings.quoting import quote

from .tool import Said, environment, tool
from .tracking import Api
from .waiting import free_ports, wait_until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SERVERS = ("postgres", "s3", "mlflow")

# For scenarios that cannot be on another engine; the argument says why.
docker_only = pytest.mark.docker_only
local_only = pytest.mark.local_only
# Seconds; the default is for machines that do nothing else meanwhile.
WAIT_TIMEOUT = 300
CONTENT = bytes(range(256)) * 64


@dataclass(frozen=True)
class Run:
    """A run that a client was told is stored: one metric, one artifact."""

    id: str
    experiment_id: str
    loss: float
    artifact: bytes

    @property
    def key(self) -> str:
        """Where the artifact is in the bucket."""
        return f"{self.experiment_id}/{self.id}/artifacts/model/weights.bin"


class RunningStack(ABC):
    """One stack with its own name, folder and ports; the engine's subclass knows how it runs."""

    engine: ClassVar[str]
    # Whether S3 has one key for everything, instead of a root and users.
    one_key: bool = False

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.name = f"e2e-{uuid.uuid4().hex[:8]}"
        self.env_file = folder / ".env"
        # What the database takes now, where a test changed it behind our back.
        self.changed_password = ""
        # Whether it needs no mending before the next test.
        self.is_well = False
        # Whether more than one test uses it, and whether it stays when they are done.
        self.is_shared = self.is_kept = False
        mlflow, s3, console, database = free_ports(4)
        chosen = {
            "COMPOSE_PROJECT_NAME": self.name,
            "STACK_ENGINE": self.engine,
            "MLFLOW_PORT": str(mlflow),
            "MINIO_PORT": str(s3),
            "MINIO_CONSOLE_ADDRESS": f":{console}",
            "PG_PORT": str(database),
            # Half the work of a start; the session's stack has as many as a user's.
            "MLFLOW_WORKERS": "1",
            **settings,
        }
        pairs = [word for pair in chosen.items() for word in ("--set", "=".join(pair))]
        self.tool("init", *pairs)

    def is_used_by(self, item: pytest.Item) -> bool:
        """Tell whether a test uses this stack; one that is not shared is only there for it."""
        values = getattr(item, "funcargs", {}).values()
        return not self.is_shared or any(getattr(v, "stack", v) is self for v in values)

    # --- as its owner uses it

    def tool(self, *arguments: str, code: int | None = 0, **more: str) -> Said:
        """Run `mlflow-compose` in the stack's folder; `more` is added to the environment."""
        if "up" in arguments and "--wait-timeout" not in arguments:
            arguments = (*arguments, f"--wait-timeout={WAIT_TIMEOUT}")
        return tool(*arguments, code=code, folder=self.folder, env=environment(**more))

    def up(self, *arguments: str, code: int | None = 0) -> Said:
        """Start the stack without proving it."""
        return self.tool("up", "--no-verify", *arguments, code=code)

    def mend(self) -> None:
        """Bring the stack up again after a test broke it; make it anew where that fails."""
        self.drop_override()
        if self.up(code=None).code:
            self.purge()
            self.up()

    def verify(self) -> Said:
        """Prove the stack; it must hold."""
        return self.tool("verify")

    @property
    def settings(self) -> dict[str, str]:
        """What the env file says."""
        found = dotenv_values(self.env_file, interpolate=False)
        return {name: value for name, value in found.items() if value is not None}

    def write(self, **values: str) -> None:
        """Edit the env file, as its owner does."""
        text = self.env_file.read_text(encoding="utf-8")
        for name, value in values.items():
            line = f"{name}={quote(value)}"
            kept = [old for old in text.splitlines() if not old.startswith(f"{name}=")]
            text = "\n".join([*kept, line, ""])
        self.env_file.write_text(text, encoding="utf-8")

    @contextmanager
    def changed(self, **values: str) -> Iterator[None]:
        """Edit the env file, and put it back in the end."""
        before = self.env_file.read_text(encoding="utf-8")
        self.write(**values)
        try:
            yield
        finally:
            self.env_file.write_text(before, encoding="utf-8")

    # --- as its clients use it

    @property
    def url(self) -> str:
        """Where MLflow answers."""
        address = self.settings.get("STACK_BIND_ADDRESS", "0.0.0.0")  # noqa: S104 - read
        host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - read
        return f"http://{host}:{self.settings['MLFLOW_PORT']}"

    @property
    def s3_url(self) -> str:
        """Where S3 answers."""
        host = self.settings.get("MINIO_HOST", "s3")
        if self.settings.get("MLFLOW_ARTIFACT_ACCESS") == "direct":
            host = self.settings.get("STACK_BIND_ADDRESS", "s3")
        return f"http://{'127.0.0.1' if host == 's3' else host}:{self.settings['MINIO_PORT']}"

    @property
    def api(self) -> Api:
        """MLflow's REST API, for everybody."""
        return Api(self.url)

    @property
    def database_ports(self) -> list[str]:
        """Where the database answers on this machine, where nobody asked for it."""
        return []

    @property
    def bucket(self) -> str:
        """The bucket for artifacts."""
        return self.settings.get("MLFLOW_BUCKET_NAME", "mlflow")

    @property
    def app_key(self) -> tuple[str, str]:
        """The application's S3 key."""
        return self.settings["MINIO_ACCESS_KEY"], self.settings["MINIO_SECRET_ACCESS_KEY"]

    @property
    def root_key(self) -> tuple[str, str]:
        """The S3 server's root key."""
        return self.settings["MINIO_ROOT_USER"], self.settings["MINIO_ROOT_PASSWORD"]

    @property
    def database_password(self) -> str:
        """What the database takes."""
        return self.changed_password or self.settings["PG_PASSWORD"]

    def s3(self, key: tuple[str, str] | None = None) -> "S3Client":
        """Return an S3 client, with the application's key where none is given."""
        import boto3
        from botocore.config import Config

        key_id, secret = key or self.app_key
        return boto3.client(
            "s3",
            endpoint_url=self.s3_url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=Config(connect_timeout=5, retries={"total_max_attempts": 1}, proxies={}),
        )

    def objects(self) -> dict[str, int]:
        """Return every object in the bucket, as the root sees it, with its size."""
        pages = self.s3(self.root_key).get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {file["Key"]: file["Size"] for page in pages for file in page.get("Contents", [])}

    def log_run(self, api: Api | None = None) -> Run:
        """Store a run with a metric and an artifact."""
        api = api or self.api
        experiment_id = api.post("experiments/create", name=f"e2e-{uuid.uuid4().hex}")[
            "experiment_id"
        ]
        now = int(time.time() * 1000)
        created = api.post("runs/create", experiment_id=experiment_id, start_time=now)
        run = Run(created["run"]["info"]["run_id"], experiment_id, 0.25, CONTENT)
        api.post("runs/log-metric", run_id=run.id, key="loss", value=run.loss, timestamp=now)
        api.artifact("PUT", run.key, run.artifact)
        return run

    def expect(self, run: Run, api: Api | None = None) -> None:
        """Make sure that a run is as it was stored: the metric by MLflow, the bytes from S3."""
        api = api or self.api
        data = api.get("runs/get", run_id=run.id)["run"]["data"]
        assert {metric["key"]: metric["value"] for metric in data["metrics"]} == {"loss": run.loss}
        assert api.artifact("GET", run.key).content == run.artifact
        stored = self.s3().get_object(Bucket=self.bucket, Key=run.key)
        assert stored["Body"].read() == run.artifact

    # --- as its engine sees it

    def wait_until_healthy(self, *services: str, seconds: float = 60) -> None:
        """Wait until services are healthy, all servers where none is named."""
        for service in services or SERVERS:
            healthy = partial(self._is_healthy, service)
            wait_until(healthy, seconds=seconds, what=f"{service} is healthy")

    def _is_healthy(self, service: str) -> bool:
        return self.health(service) == "healthy"

    @abstractmethod
    def drop_override(self) -> None:
        """Remove the owner's own changes to what the tool rendered."""

    @abstractmethod
    def ids(self) -> dict[str, str]:
        """Return what runs each service, by service: changes when it is made anew."""

    @abstractmethod
    def starts(self) -> dict[str, str]:
        """Return when each server was started last."""

    @abstractmethod
    def volumes(self) -> set[str]:
        """Return the names of what keeps the data, without the stack's name."""

    @abstractmethod
    def health(self, service: str) -> str:
        """Return healthy, unhealthy, starting, or empty where the service does not run."""

    @abstractmethod
    def kill(self, service: str) -> None:
        """Kill a service's main process as the system would: with signal 9, told to nobody."""

    @abstractmethod
    def stop(self, service: str) -> None:
        """Stop a service as an operator would, so that it stays stopped."""

    @abstractmethod
    def restart(self, service: str) -> None:
        """Stop a service and start it again."""

    @abstractmethod
    def execute(self, service: str, *argv: str, given: str | None = None) -> str:
        """Run a command where a service runs, and return what it printed."""

    @abstractmethod
    def command_lines(self, service: str) -> str:
        """Return what runs for a service, a line for each process."""

    @abstractmethod
    def purge(self) -> None:
        """Remove everything that the engine has of the stack, whatever state it is in."""

    @abstractmethod
    def keep_logs(self, folder: Path) -> None:
        """Write what the services said into `folder`."""

    def rows(self) -> list[str]:
        """Return the number of rows of every table."""
        return self.sql(
            "SELECT format('SELECT %L, count(*) FROM %I', relname, relname) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1 \\gexec\n"
        )

    def stored_runs(self) -> list[str]:
        """Return the ids of all runs that the database has."""
        return self.sql("SELECT run_uuid FROM runs")

    def sql(self, script: str) -> list[str]:
        """Run SQL (or psql's own commands) in the database; return rows, columns split by |."""
        user, database = (self.settings.get(name, "mlflow") for name in ("PG_USER", "PG_DATABASE"))
        # By the socket inside, which asks for no password: it works whatever the password is.
        argv = ("psql", "-U", user, "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1")
        return self.execute("postgres", *argv, given=script).splitlines()
