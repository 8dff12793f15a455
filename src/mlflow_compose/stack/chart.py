"""What the Helm chart needs to know about the services of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack.components import bucket_init, mlflow, postgres, postgres_client, s3
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.postgres_logins import PG_PASSWORD
from mlflow_compose.stack.providers import PROVIDERS, Provider
from mlflow_compose.stack.service import USER, SecretFile, Service

# Secret with the login of the database, as CloudNativePG expects it.
LOGIN = "postgres-login"
# Volume claims that the chart creates, of the database and of the S3 server.
S3_CLAIM = "s3-data"
CLAIMS = ("postgres-data", S3_CLAIM)
# That of the snapshots of the chart's CronJob.
BACKUPS_CLAIM = "backups"
# Users of PostgreSQL's images, by what distinguishes those based on Alpine.
POSTGRES_USERS = {"alpine": 70, "": 999}
# Memory in mebibytes: what pods are sure to get, and what they may take without a limit in `.env`.
SERVER_MEMORY, JOB_MEMORY = (256, 1024), (128, 512)
# Of the tracking server: what its processes share, what each of them needs, and what each may need
# unless it is replaced before.
SHARED_MEMORY, PROCESS_MEMORY, UNLIMITED_PROCESS = 256, 128, 1024


@dataclass(frozen=True)
class Memory:
    """Memory of a pod, in mebibytes.

    Attributes:
        request: What it is sure to get.
        limit: What it may take.
    """

    request: int
    limit: int


@dataclass(frozen=True)
class Workload:
    """A service as pods.

    Attributes:
        service: The service.
        secret: Name of the Secret with its files, empty if it has none.
        user: User and group that it runs as.
        memory: Its memory.
        ready: Path that the S3 server answers with 200 when it is ready, empty if it has none.
    """

    service: Service
    secret: str
    user: int
    memory: Memory
    ready: str = ""


@dataclass(frozen=True)
class Login:
    """The login of the bundled database."""

    secret: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Chart:
    """The values of a stack's chart.

    Attributes:
        replicas: Number of tracking servers.
        mlflow: The tracking server.
        bucket_init: The job that creates the bucket, or checks it.
        client: Programs of PostgreSQL.
        postgres: The bundled database, None for one elsewhere.
        s3: The bundled S3 server, None for one elsewhere.
        secrets: Files of each Secret, by its name.
        login: Login of the bundled database, None for one elsewhere.
        database: Name of that database.
        parameters: Its configuration.
        metrics: Path of the S3 server's metrics, empty if it has none.
        is_direct: Whether clients connect to S3 themselves.
    """

    replicas: int
    mlflow: Workload
    bucket_init: Workload
    client: Workload
    postgres: Workload | None
    s3: Workload | None
    secrets: Mapping[str, tuple[SecretFile, ...]]
    login: Login | None
    database: str
    parameters: Mapping[str, str]
    metrics: str
    is_direct: bool


def chart(stack: Stack) -> Chart:
    """Return the values of a stack's chart."""
    pods = {service.name: _workload(service, stack) for service in stack.defined}
    database = pods.get(postgres.NAME)
    return Chart(
        replicas=stack.service(mlflow.NAME).replicas,
        mlflow=pods[mlflow.NAME],
        bucket_init=pods[bucket_init.NAME],
        client=pods[postgres_client.NAME],
        postgres=database,
        s3=pods.get(s3.NAME),
        secrets={pod.secret: pod.service.secrets for _, pod in sorted(pods.items()) if pod.secret},
        login=_login(database) if database else None,
        database=database.service.environment["POSTGRES_DB"] if database else "",
        parameters=_parameters(database.service.command) if database else {},
        metrics=PROVIDERS[stack.s3_provider].metrics if stack.s3_provider else "",
        is_direct=stack.artifact_access == "direct",
    )


def _workload(service: Service, stack: Stack) -> Workload:
    return Workload(
        service=service,
        secret=service.name if service.secrets else "",
        user=_user(service),
        memory=_memory(service),
        ready=_check(PROVIDERS[stack.s3_provider]) if service.name == s3.NAME else "",
    )


def _check(provider: Provider) -> str:
    return "" if provider.refuses_check else provider.ready


def _login(server: Workload) -> Login:
    password = next(file for file in server.service.secrets if file.name == PG_PASSWORD)
    return Login(LOGIN, server.service.environment["POSTGRES_USER"], password.text)


def _parameters(command: Sequence[str]) -> Mapping[str, str]:
    """Return the options of a server's command: --NAME=VALUE, after the name of the program."""
    options = (option.removeprefix("--").partition("=") for option in command[1:])
    return {name: value for name, _, value in options}


def _user(service: Service) -> int:
    if service.name in {postgres.NAME, postgres_client.NAME}:
        return next(user for word, user in POSTGRES_USERS.items() if word in service.image)
    return USER


def _memory(service: Service) -> Memory:
    request, limit = JOB_MEMORY if service.one_shot else SERVER_MEMORY
    if service.name == mlflow.NAME:
        each = int(service.environment.get("WORKER_MEMORY", UNLIMITED_PROCESS))
        request = SHARED_MEMORY + service.processes * PROCESS_MEMORY
        limit = SHARED_MEMORY + service.processes * each
    if service.memory:
        limit = mebibytes(service.memory)
    return Memory(min(request, limit), limit)
