"""What is measured: one record per figure, with its unit and its targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Better(Enum):
    """Which values of a figure are better."""

    LESS = "less"
    MORE = "more"


@dataclass(frozen=True)
class Figure:
    """One figure of a stack.

    Attributes:
        name: Key in results.
        title: Name in tables and plots.
        unit: Unit of its values; MB are MiB.
        better: Whether small or large values are better.
        targets: How many times better than the plain stack each subject should be.
        limit: Value that no subject of ours should exceed.
        baseline: Figure of the plain stack to compare with, if it is not the same one.
        compared: Whether a ratio to the plain stack makes sense.
    """

    name: str
    title: str
    unit: str
    better: Better
    targets: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    baseline: str = ""
    compared: bool = True


SERVICES = ("mlflow", "postgres", "s3")
# Of stacks that have it.
JUPYTER = "jupyter"
LESS, MORE = Better.LESS, Better.MORE


def targets(default: float, small: float, fast: float) -> Mapping[str, float]:
    """Return the targets of the three profiles."""
    return {"default": default, "small": small, "fast": fast}


def memory_of_services(key: str, when: str) -> tuple[Figure, ...]:
    """Return one figure of memory for each service."""
    return tuple(
        Figure(f"memory_{name}_{key}", f"memory of {name}, {when}", "MB", LESS) for name in SERVICES
    )


FIGURES = (
    Figure("cold_up", "start with empty volumes", "s", LESS, targets(3, 3, 2.5)),
    Figure("second_up", "`up` of a running stack", "s", LESS),
    Figure("memory_fresh", "memory, fresh", "MB", LESS),
    *memory_of_services("fresh", "fresh"),
    Figure("memory_jupyter_fresh", "memory of jupyter, fresh", "MB", LESS, compared=False),
    Figure("memory_loaded", "memory, after load", "MB", LESS, targets(5, 8, 3.5)),
    *memory_of_services("loaded", "after load"),
    Figure("log_metric_1", "log-metric, 1 client", "/s", MORE, targets(7, 5, 8)),
    Figure("log_metric_8", "log-metric, 8 clients", "/s", MORE, targets(1.8, 1, 2.5)),
    Figure("log_batch", "log-batch, metrics", "/s", MORE, targets(1.6, 1, 2)),
    Figure("search_100", "search in 100 runs", "/s", MORE),
    Figure("artifact_in", "artifact in, via server", "MB/s", MORE, targets(1.3, 1, 1.5)),
    Figure("artifact_out", "artifact out, via server", "MB/s", MORE, targets(1.3, 1, 1.5)),
    Figure(
        "direct_in", "artifact in, direct", "MB/s", MORE, targets(3, 3, 3), baseline="artifact_in"
    ),
    Figure(
        "direct_out",
        "artifact out, direct",
        "MB/s",
        MORE,
        targets(3, 3, 3),
        baseline="artifact_out",
    ),
    Figure("away_worker", "away after kill -9 of a worker", "s", LESS, limit=0.2, compared=False),
    Figure("away_server", "away after kill -9 of the server", "s", LESS, limit=4, compared=False),
    Figure("idle", "processor time while idle", "% of a core", LESS),
    Figure("search_5000", "search in 5,000 runs", "s", LESS),
    Figure("history", "metric history, 100,000 points", "s", LESS),
    Figure("bytes_per_metric", "database, per metric", "bytes", LESS, compared=False),
    Figure("bytes_per_run", "database, per run", "bytes", LESS, compared=False),
    Figure("workers", "server processes with a listening socket", "", LESS, compared=False),
    Figure("image", "image, without its base", "MB", LESS, {"default": 2.5}),
    Figure("build", "build of the image", "s", LESS, compared=False),
    Figure("help", "`mlflow-compose --help`", "s", LESS, compared=False),
    Figure("render", "`mlflow-compose render`", "s", LESS, compared=False),
    Figure("status", "`mlflow-compose status`", "s", LESS, compared=False),
    Figure("verify", "`mlflow-compose verify`", "s", LESS, compared=False),
)
