"""What `plan` prints."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class CapacityFound:
    """`plan` and `plan --seats`."""

    seats: int = key("Seats that this machine can have besides what runs on it now.")
    seats_by: Mapping[str, int] = key("The same by `memory`, `processors` and `disk` alone.")
    limit: str = key("What it lacks first: `memory`, `processors` or `disk`.")
    memory_available: int = key("Bytes of memory that are available now.")
    memory_total: int = key("Bytes of memory that this machine has.")
    cores: int = key("Processor cores.")
    disk_free: int = key("Free bytes on the disk of the stack's folder.")
    wanted: int | None = key("Value of `--seats`, null without it.")
    fits: bool | None = key("Whether that many seats fit, null without `--seats`.")
    needs: Mapping[str, int] | None = key(
        "What a machine for that many seats needs: `memory` and `disk` in bytes, `cores`; null "
        "without `--seats`."
    )
    start_seconds: int = key("How long the start of these seats takes here, about.")


@dataclass(frozen=True)
class UsersPlanned:
    """`plan --users`."""

    users: int = key("Value of `--users`.")
    runs_per_day: float = key("Runs of each user on a day.")
    metrics_per_run: int = key("Values of metrics that a run logs.")
    artifact_bytes: int = key("Bytes of artifacts of a run.")
    requests_per_second: float = key("Requests per second at the busiest time.")
    traffic: int = key("Bytes per second of these requests and their answers.")
    median: float = key("Milliseconds within which half of them are answered, by the model.")
    p99: float = key("The same for 99 of 100.")
    replicas: int = key("Tracking servers.")
    processes: int = key("Processes of all tracking servers together.")
    cores: Mapping[str, int] = key("Cores of `server`, `database` and `objects`.")
    memory: Mapping[str, int] = key("Bytes of memory of the same, and of the `system`.")
    connections: int = key("Connections that the pools of all processes may open.")
    pooler: bool = key("Whether PgBouncer is needed for them.")
    database_growth: int = key("Bytes that the database grows by in a year.")
    bucket_growth: int = key("Bytes that the bucket grows by in a year.")
    stage: str = key(
        "The first arrangement that is enough: `machine`, `replicas`, `pooler`, `managed` or "
        "`stacks`."
    )
    stacks: int = key("Number of stacks; above 1 only for `stacks`.")
    exceeded: str | None = key(
        "What the arrangement before it has too little of, null without one: `cores` or `memory` "
        "of one machine, `connections`, `database_cores`, `database_memory`, `database_growth` or "
        "`bucket_growth`."
    )
    until: int | None = key("With how many users it is still enough; null if with any number.")
    limit: str | None = key("What it has too little of from then on; null if with any number.")
