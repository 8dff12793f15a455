"""What users ask of a server: requests at the busiest time, and rows and objects in a year."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.capacity.costs import GB, MB, TB, Assumptions, ServerCosts

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Usage:
    """What people do with a tracking server.

    Attributes:
        users: Number of people and programs that start runs.
        runs_per_day: Runs of each of them on a day.
        metrics_per_run: Values of metrics that a run logs, one request each.
        artifact_bytes: Bytes of artifacts of a run.
    """

    users: int
    runs_per_day: float
    metrics_per_run: int
    artifact_bytes: int

    @property
    def runs(self) -> float:
        """Runs of all users on a day."""
        return self.users * self.runs_per_day


# What is assumed of a user about whom nothing is said.
USUAL = Usage(users=1, runs_per_day=10, metrics_per_run=100, artifact_bytes=10 * MB)
# The most that is computed with; anything above is a slip of the keyboard.
MOST = Usage(10_000_000, runs_per_day=1e6, metrics_per_run=1_000_000_000, artifact_bytes=1000 * TB)


def usage_of(
    users: int,
    runs_per_day: float | None,
    metrics_per_run: int | None,
    artifact_gigabytes: float | None,
) -> Usage:
    """Return a usage; what is None is as usual."""
    return Usage(
        users,
        USUAL.runs_per_day if runs_per_day is None else runs_per_day,
        USUAL.metrics_per_run if metrics_per_run is None else metrics_per_run,
        USUAL.artifact_bytes if artifact_gigabytes is None else round(artifact_gigabytes * GB),
    )


@dataclass(frozen=True)
class Demand:
    """What a usage asks of the servers.

    Attributes:
        requests: Requests per second at the peak, by kind.
        server: Busy cores of the tracking server at the peak.
        database: Busy cores of the database at the peak.
        transfers: Busy cores of everything that artifacts pass through at the peak.
        traffic: Bytes per second of requests and answers at the peak, without artifacts.
        artifacts: Bytes per second of artifacts at the peak.
        database_growth: Bytes that the database grows by in a year.
        bucket_growth: Bytes that the bucket grows by in a year.
    """

    requests: Mapping[str, float]
    server: float
    database: float
    transfers: float
    traffic: float
    artifacts: float
    database_growth: int
    bucket_growth: int

    @property
    def rate(self) -> float:
        """Requests per second at the peak."""
        return sum(self.requests.values())


def demand(usage: Usage, costs: ServerCosts, assumed: Assumptions) -> Demand:
    """Return what a usage asks of the servers."""
    peak = usage.runs / (assumed.hours * SECONDS_PER_HOUR) * assumed.peak
    per_run = {
        "create": 1,
        "params": 1,
        "metric": usage.metrics_per_run,
        "finish": 1,
        "search": assumed.searches,
    }
    requests = {kind: peak * count for kind, count in per_run.items()}
    runs_per_year = usage.runs * assumed.days
    row_bytes = costs.run + usage.metrics_per_run * costs.metric
    artifacts = peak * usage.artifact_bytes
    return Demand(
        requests=requests,
        server=sum(rate * costs.requests[kind].server for kind, rate in requests.items()),
        database=sum(rate * costs.requests[kind].database for kind, rate in requests.items()),
        transfers=artifacts / costs.artifacts_per_core,
        traffic=sum(rate * costs.requests[kind].traffic for kind, rate in requests.items()),
        artifacts=artifacts,
        database_growth=round(runs_per_year * row_bytes),
        bucket_growth=round(runs_per_year * usage.artifact_bytes),
    )
