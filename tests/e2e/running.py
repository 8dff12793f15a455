"""A stack as scenarios see it, independent of the engine."""

import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pytest
from dotenv import dotenv_values

from mlflow_compose.settings.quoting import quote

from .tool import Output, environment, tool
from .tracking import Api
from .waiting import free_ports, wait_until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T", bound=Callable[..., object])
SERVERS = ("postgres", "s3", "mlflow")

# For scenarios that only apply to one engine; the argument is the reason.
docker_only = pytest.mark.docker_only
local_only = pytest.mark.local_only
SOAK = "STACK_SOAK"
# In seconds; the product's default assumes an otherwise idle machine.
WAIT_TIMEOUT = 300
CONTENT = bytes(range(256)) * 64


# For all scenarios of a module: CI runs them without Docker only, or with Docker only.
SHORT_IN_CI, ON_DOCKER_IN_CI = [pytest.mark.soak], [pytest.mark.soak]
if os.environ.get(SOAK) != "1":
    SHORT_IN_CI.append(pytest.mark.local_only("takes long on Docker, where make soak runs it"))
    ON_DOCKER_IN_CI.append(pytest.mark.docker_only("make soak also runs it without Docker"))


def short_in_ci(test: T) -> T:
    """Run a scenario without Docker only, where it takes less time; `make soak` runs it on both."""
    for mark in SHORT_IN_CI:
        test = mark(test)
    return test


def left_to_soak(reason: str) -> Callable[[T], T]:
    """Leave a scenario to `make soak`.

    Args:
        reason: What CI runs instead, or why it can wait.
    """
    skipped = pytest.mark.skipif(os.environ.get(SOAK) != "1", reason=f"{reason}: make soak")

    def marked(test: T) -> T:
        left: T = pytest.mark.soak(skipped(test))
        return left

    return marked


@dataclass(frozen=True)
class Run:
    """A run whose storage was acknowledged to a client: one metric, one artifact."""

    id: str
    experiment_id: str
    loss: float
    artifact: bytes

    @property
    def key(self) -> str:
        """Key of the artifact in the bucket."""
        return f"{self.experiment_id}/{self.id}/artifacts/model/weights.bin"


def edit(env_file: Path, values: Mapping[str, str]) -> None:
    """Set values in an env file."""
    text = env_file.read_text(encoding="utf-8")
    for name, value in values.items():
        line = f"{name}={quote(value)}"
        kept = [old for old in text.splitlines() if not old.startswith(f"{name}=")]
        text = "\n".join([*kept, line, ""])
    env_file.write_text(text, encoding="utf-8")


class RunningStack(ABC):
    """A stack with its own name, folder and ports; each engine has a subclass."""

    engine: ClassVar[str]
    # Settings of every stack. Workers are half the work of a start; only the session has two.
    defaults: ClassVar[Mapping[str, str]] = {"MLFLOW_WORKERS": "1"}
    # Whether the S3 server has a single key instead of a root key and users.
    one_key: bool = False

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.name = f"e2e-{uuid.uuid4().hex[:8]}"
        self.env_file = folder / ".env"
        # Current password of the database, if a test changed it directly.
        self.changed_password = ""
        # Whether the next test can use the stack without an `up`.
        self.is_well = False
        # Whether more than one test uses it, and whether it is kept after the tests.
        self.is_shared = self.is_kept = False
        mlflow, s3, console, database = free_ports(4)
        chosen = {
            "COMPOSE_PROJECT_NAME": self.name,
            "STACK_ENGINE": self.engine,
            "MLFLOW_PORT": str(mlflow),
            "MINIO_PORT": str(s3),
            "MINIO_CONSOLE_ADDRESS": f":{console}",
            "PG_PORT": str(database),
            **self.defaults,
            **settings,
        }
        pairs = [word for pair in chosen.items() for word in ("--set", "=".join(pair))]
        self.tool("init", *pairs)

    def is_used_by(self, item: pytest.Item) -> bool:
        """Tell whether a test uses this stack; one that is not shared belongs to one test."""
        values = getattr(item, "funcargs", {}).values()
        return not self.is_shared or any(getattr(v, "stack", v) is self for v in values)

    # --- as its owner uses it

    def tool(self, *arguments: str, code: int | None = 0, **more: str) -> Output:
        """Run `mlflow-compose` in the stack's folder; `more` is added to the environment."""
        if "up" in arguments and "--wait-timeout" not in arguments:
            arguments = (*arguments, f"--wait-timeout={WAIT_TIMEOUT}")
        return tool(*arguments, code=code, folder=self.folder, env=environment(**more))

    def up(self, *arguments: str, code: int | None = 0) -> Output:
        """Start the stack without verifying it."""
        return self.tool("up", "--no-verify", *arguments, code=code)

    def mend(self) -> None:
        """Bring the stack up again after a test broke it; recreate it if that fails."""
        self.drop_override()
        if self.up(code=None).code:
            self.purge()
            self.up()

    def verify(self) -> Output:
        """Run `verify`, which must succeed."""
        return self.tool("verify")

    @property
    def settings(self) -> dict[str, str]:
        """Settings in the env file."""
        found = dotenv_values(self.env_file, interpolate=False)
        return {name: value for name, value in found.items() if value is not None}

    def write(self, **values: str) -> None:
        """Edit the env file, as its owner would."""
        edit(self.env_file, values)

    @contextmanager
    def changed(self, **values: str) -> Iterator[None]:
        """Edit the env file, and restore it afterwards."""
        before = self.env_file.read_text(encoding="utf-8")
        self.write(**values)
        try:
            yield
        finally:
            self.env_file.write_text(before, encoding="utf-8")

    # --- as its clients use it

    @property
    def url(self) -> str:
        """URL of MLflow."""
        address = self.settings.get("STACK_BIND_ADDRESS", "0.0.0.0")  # noqa: S104 - read
        host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - read
        return f"http://{host}:{self.settings['MLFLOW_PORT']}"

    @property
    def s3_url(self) -> str:
        """URL of the S3 server."""
        host = self.settings.get("MINIO_HOST", "s3")
        if self.settings.get("MLFLOW_ARTIFACT_ACCESS") == "direct":
            host = self.settings.get("STACK_BIND_ADDRESS", "s3")
        return f"http://{'127.0.0.1' if host == 's3' else host}:{self.settings['MINIO_PORT']}"

    @property
    def api(self) -> Api:
        """MLflow's REST API, as the admin if there is a login."""
        settings = self.settings
        if settings.get("MLFLOW_AUTH") != "basic":
            return Api(self.url)
        name = settings.get("MLFLOW_ADMIN_USERNAME", "admin")
        return Api(self.url, (name, settings["MLFLOW_ADMIN_PASSWORD"]))

    @property
    def database_ports(self) -> list[str]:
        """Addresses of the database on this machine when it is not published."""
        return []

    @property
    def bucket(self) -> str:
        """Bucket for artifacts."""
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
        """Password that the database accepts."""
        return self.changed_password or self.settings["PG_PASSWORD"]

    def s3(self, key: tuple[str, str] | None = None) -> "S3Client":
        """Return an S3 client, by default with the application's key."""
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
        """Return the size of every object in the bucket, read with the root key."""
        pages = self.s3(self.root_key).get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {file["Key"]: file["Size"] for page in pages for file in page.get("Contents", [])}

    def log_run(self, api: Api | None = None) -> Run:
        """Log a run with a metric and an artifact."""
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
        """Assert that a run is unchanged: the metric in MLflow, the bytes in S3."""
        api = api or self.api
        data = api.get("runs/get", run_id=run.id)["run"]["data"]
        assert {metric["key"]: metric["value"] for metric in data["metrics"]} == {"loss": run.loss}
        assert api.artifact("GET", run.key).content == run.artifact
        stored = self.s3().get_object(Bucket=self.bucket, Key=run.key)
        assert stored["Body"].read() == run.artifact

    # --- as its engine sees it

    def wait_until_healthy(self, *services: str, seconds: float = 60) -> None:
        """Wait until services are healthy; default: all servers."""
        for service in services or SERVERS:
            healthy = partial(self._is_healthy, service)
            wait_until(healthy, seconds=seconds, what=f"{service} is healthy")

    def _is_healthy(self, service: str) -> bool:
        return self.health(service) == "healthy"

    @abstractmethod
    def drop_override(self) -> None:
        """Remove the owner's changes to the rendered files."""

    @abstractmethod
    def ids(self) -> dict[str, str]:
        """Return an id for each service that changes when the service is recreated."""

    @abstractmethod
    def starts(self, *services: str) -> dict[str, str]:
        """Return when services were last started; default: all servers."""

    @abstractmethod
    def volumes(self) -> set[str]:
        """Return the names of the data volumes, without the stack's name as prefix."""

    @abstractmethod
    def health(self, service: str) -> str:
        """Return healthy, unhealthy, starting, or empty if the service does not run."""

    @abstractmethod
    def kill(self, *services: str) -> None:
        """Kill services' main processes with SIGKILL, without informing the engine."""

    @abstractmethod
    def stop(self, service: str) -> None:
        """Stop a service so that it is not restarted."""

    @abstractmethod
    def restart(self, service: str) -> None:
        """Stop a service and start it again."""

    @abstractmethod
    def execute(self, service: str, *argv: str, given: str | None = None) -> str:
        """Run a command in a service's environment and return its output."""

    @abstractmethod
    def command_lines(self, service: str) -> str:
        """Return the command lines of a service's processes, one per line."""

    @abstractmethod
    def purge(self) -> None:
        """Remove everything that the engine has for the stack, whatever state it is in."""

    def discard(self) -> None:
        """Remove what the engine has outside of the folder, which is deleted next."""
        self.purge()

    @abstractmethod
    def keep_logs(self, folder: Path) -> None:
        """Write the services' logs into `folder`."""

    def rows(self) -> list[str]:
        """Return the number of rows of every table."""
        return self.sql(
            "SELECT format('SELECT %L, count(*) FROM %I', relname, relname) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1 \\gexec\n"
        )

    def stored_runs(self) -> list[str]:
        """Return the ids of all runs in the database."""
        return self.sql("SELECT run_uuid FROM runs")

    def sql(self, script: str) -> list[str]:
        """Run SQL (or psql's own commands) in the database; return rows, columns split by |."""
        user, database = (self.settings.get(name, "mlflow") for name in ("PG_USER", "PG_DATABASE"))
        # Over the Unix socket, which needs no password, so it works whatever the password is.
        argv = ("psql", "-U", user, "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1")
        return self.execute("postgres", *argv, given=script).splitlines()
