"""Results as tables: a page of the documentation, and lines for the terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from bench.capacity.cost import PARAMS, TAGS
from bench.capacity.modelled import modelled
from bench.capacity.results import Point, Results
from bench.table import machine_text, markdown, number, terminal

INTRODUCTION = """\
# Benchmark of capacity

What requests cost, and how long they take under load, of a stack with a login and default settings.
[`plan --users`](../how-to/plan.md) computes with it. `make bench-capacity` measures it and writes
this page; [how it does that](../architecture/performance.md#the-benchmark-of-capacity).
"""
WHAT = """\
{date}: {machine}

All clients run on the same machine. MB are MiB; memory is the proportional set size (PSS).
"""
ABOUT_COSTS = """\
## Requests

Sent by one client, one after the other: milliseconds of processor time, and bytes of HTTP in both
directions. A run is created with {tags} tags, and gets {params} params in one request.
"""
ABOUT_SIZE = """\
## Database and memory

Of a run with these tags and params, and of the services after the requests above.
[A value of a metric](README.md#medians) was measured before.
"""
ABOUT_LOADS = """\
## Load on {engine}

`log-metric` requests that arrive at random times (a Poisson process), for {seconds} s each. Times
are in milliseconds from when a request is due; the last two columns are what
[the model](../architecture/capacity.md#the-queue) says. Cores of others were taken by programs that
have nothing to do with the benchmark; a load is measured again if they used much, and the quietest
try counts.
"""
KINDS: Mapping[str, str] = {
    "create": "create a run",
    "params": "log its params",
    "metric": "log a metric",
    "finish": "end the run",
    "search": "list 100 runs",
    "batch": "log 1,000 metrics in a batch",
}
SIZES: Mapping[str, tuple[str, str]] = {
    "processes": ("processes of mlflow", ""),
    "run_database": ("a run in the database", "bytes"),
    "mlflow_memory": ("memory of mlflow", "MB"),
    "postgres_memory": ("memory of postgres", "MB"),
    "mlflow_idle": ("mlflow while idle", "cores"),
    "postgres_idle": ("postgres while idle", "cores"),
}
COLUMNS: Mapping[str, Callable[[Point], float]] = {
    "requests/s": lambda point: point.rate,
    "failed": lambda point: point.failed,
    "median": lambda point: point.median,
    "mean": lambda point: point.mean,
    "p95": lambda point: point.p95,
    "p99": lambda point: point.p99,
    "mlflow cores": lambda point: point.mlflow_cores,
    "postgres cores": lambda point: point.postgres_cores,
    "client cores": lambda point: point.client_cores,
    "cores of others": lambda point: point.others,
}
Rows = Iterator[Sequence[str]]


def page(results: Results) -> str:
    """Return the page of the documentation."""
    what = WHAT.format(date=results.date, machine=machine_text(results.machine))
    parts = (
        INTRODUCTION,
        what,
        *(f"{note}\n" for note in results.notes),
        ABOUT_COSTS.format(tags=TAGS, params=PARAMS),
        markdown(costs(results)),
        ABOUT_SIZE,
        markdown(sizes(results)),
        *chain.from_iterable(
            (
                ABOUT_LOADS.format(engine=engine, seconds=results.seconds),
                markdown(loads(results, engine)),
            )
            for engine in results.points
        ),
    )
    return "\n".join(parts)


def costs(results: Results) -> Rows:
    """Yield what each kind of request costs on each engine."""
    parts = {"mlflow_cpu": "mlflow, ms", "postgres_cpu": "postgres, ms", "bytes": "bytes"}
    yield ("", *(f"{engine}: {title}" for engine in results.values for title in parts.values()))
    for kind, title in KINDS.items():
        cells = (
            number(found[f"{kind}_{part}"]) for found in results.values.values() for part in parts
        )
        yield (title, *cells)


def sizes(results: Results) -> Rows:
    """Yield sizes and memory on each engine."""
    yield ("", "unit", *results.values)
    for name, (title, unit) in SIZES.items():
        yield (title, unit, *(number(found[name]) for found in results.values.values()))


def loads(results: Results, engine: str) -> Rows:
    """Yield the times under each load, and those of the model."""
    yield (*COLUMNS, "median of the model", "p99 of the model")
    for point in results.points[engine]:
        expected = modelled(point, round(results.values[engine]["processes"]))
        cells = (number(column(point)) for column in COLUMNS.values())
        yield (*cells, number(expected.median), number(expected.p99))


def lines(results: Results) -> str:
    """Return the tables for the terminal."""
    tables = (
        costs(results),
        sizes(results),
        *(loads(results, engine) for engine in results.points),
    )
    return "\n\n".join(terminal(one) for one in tables)
