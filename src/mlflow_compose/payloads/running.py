"""What the commands that start, stop and inspect a stack print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import Absent, key, optional_key


@dataclass(frozen=True)
class ServiceState:
    """A service of a stack."""

    name: str = key("Name of the service.")
    state: str = key("State in Docker's terms: `created`, `running`, `restarting`, `exited`, …")
    health: str = key("`healthy`, `unhealthy`, `starting`; empty without a health check.")
    ports: Sequence[str] = key("Published ports as ADDRESS:PORT.")
    since: str | None = key("When it was last started (ISO 8601); null if it does not run.")
    restarts: int = key("How often it was restarted automatically since a command started it.")
    replica: int | None = key("Number of the container; null if the service has only one.")


@dataclass(frozen=True)
class Store:
    """Where a store is."""

    kind: str = key("`postgres`, `sqlite`, `s3` or `folder`.")
    external: bool = key("Whether the server is external: not run by the stack.")
    host: str | Absent = optional_key("Host of a database.")
    port: int | Absent = optional_key("Port of a database.")
    database: str | Absent = optional_key("Name of a database.")
    sslmode: str | Absent = optional_key("TLS mode of an external database.")
    file: str | Absent = optional_key("Name of a SQLite file.")
    folder: str | Absent = optional_key("Name of an artifact folder.")
    bucket: str | Absent = optional_key("Name of a bucket.")
    endpoint: str | Absent | None = optional_key("Endpoint URL of S3; null for Amazon S3.")
    region: str | Absent = optional_key("Region of S3 requests.")
    provider: str | Absent = optional_key("Bundled S3 server.")
    volume: str | Absent = optional_key("Volume that holds the data.")
    text: str = key("The same in one sentence.")


@dataclass(frozen=True)
class Stores:
    """The two stores of a stack."""

    runs: Store = key("Where runs, params and metrics are.")
    artifacts: Store = key("Where artifacts are.")


@dataclass(frozen=True)
class Migration:
    """A migration that is running or was interrupted."""

    state: str = key("`running` or `interrupted`.")
    pid: int | None = key("Id of the process that is working on the stack now, if any.")
    since: str | None = key("When that process began to work on the stack (ISO 8601), if any.")


@dataclass(frozen=True)
class Step:
    """One check of a stack."""

    name: str = key("Name of the check.")
    ok: bool = key("Whether it passed.")
    seconds: float = key("Duration in seconds.")
    detail: str = key("Finding of the check.")


@dataclass(frozen=True)
class Status:
    """`status`."""

    project: str = key("Compose project name.")
    engine: str = key("`docker`, `local` or `kubernetes`.")
    services: Sequence[ServiceState] = key("Services in start order; empty if nothing runs.")
    urls: Mapping[str, str] = key("URLs for this machine by name: `mlflow`, `s3`, `console`.")
    stores: Stores = key("Where runs and artifacts are.")
    migration: Migration | None = key("Migration that is running or was interrupted, if any.")


@dataclass(frozen=True)
class Started:
    """`up`."""

    project: str = key("Compose project name.")
    engine: str = key("`docker`, `local` or `kubernetes`.")
    services: Sequence[ServiceState] = key("Services in start order.")
    urls: Mapping[str, str] = key("URLs for this machine by name: `mlflow`, `s3`, `console`.")
    stores: Stores = key("Where runs and artifacts are.")
    steps: Sequence[Step] | Absent = optional_key("Checks in order; left out with `--no-verify`.")


@dataclass(frozen=True)
class Verified:
    """`verify`."""

    steps: Sequence[Step] = key("Checks in order, up to the first that failed.")


@dataclass(frozen=True)
class Stopped:
    """`down`."""

    project: str = key("Compose project name.")
    volumes_removed: bool = key("Whether the data was deleted.")


@dataclass(frozen=True)
class Logs:
    """`logs`."""

    lines: Sequence[str] = key("Log lines, each with its service.")
