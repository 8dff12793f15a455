"""`plan --users`: which servers a number of users needs, and what limits them."""

from collections.abc import Iterator
from dataclasses import replace

from mlflow_compose.capacity.costs import ASSUMED, GB, MB, SERVER, TB, Assumptions, ServerCosts
from mlflow_compose.capacity.demand import Usage, demand
from mlflow_compose.capacity.seats import machine_size
from mlflow_compose.capacity.sizing import sizing
from mlflow_compose.capacity.stages import (
    AMOUNTS,
    MACHINE,
    STACKS,
    STAGES,
    Amount,
    Bound,
    Planned,
    bound,
)
from mlflow_compose.payloads import UsersPlanned
from mlflow_compose.result import Result

UNITS = ((TB, "TB"), (GB, "GB"), (MB, "MB"))


def planned(usage: Usage, costs: ServerCosts = SERVER, assumed: Assumptions = ASSUMED) -> Planned:
    """Return what a usage asks of the servers, and which it needs."""
    wanted = demand(usage, costs, assumed)
    return Planned(wanted, sizing(wanted, costs, assumed))


def show_users(usage: Usage) -> Result:
    """Return which servers a usage needs, and what limits them."""
    found = planned(usage)
    limits = bound(usage.users, lambda users: planned(replace(usage, users=users)))
    return Result(
        payload(usage, found, limits), [*_lines(usage, found), "", *_verdict(usage, found, limits)]
    )


def payload(usage: Usage, found: Planned, limits: Bound) -> UsersPlanned:
    """Return the same for `--json`."""
    wanted, needed = found.demand, found.sizing
    return UsersPlanned(
        users=usage.users,
        runs_per_day=usage.runs_per_day,
        metrics_per_run=usage.metrics_per_run,
        artifact_bytes=usage.artifact_bytes,
        requests_per_second=round(wanted.rate, 3),
        traffic=round(wanted.traffic),
        median=_milliseconds(needed.within(0.5)),
        p99=_milliseconds(needed.within(0.99)),
        replicas=needed.replicas,
        processes=needed.processes,
        cores={
            "server": needed.server_cores,
            "database": needed.database_cores,
            "objects": needed.object_cores,
        },
        memory={
            "server": needed.server_memory,
            "database": needed.database_memory,
            "objects": needed.object_memory,
            "system": needed.system_memory,
        },
        connections=needed.connections,
        pooler=needed.connections > ASSUMED.most_connections,
        database_growth=wanted.database_growth,
        bucket_growth=wanted.bucket_growth,
        stage=limits.stage.name,
        stacks=limits.stacks,
        exceeded=limits.exceeded or None,
        until=limits.until,
        limit=limits.limit or None,
    )


def _lines(usage: Usage, found: Planned) -> Iterator[str]:
    """Yield what each part needs."""
    wanted, needed = found.demand, found.sizing
    rows = {
        "load": f"{usage.runs:,.0f} runs and {usage.runs * usage.metrics_per_run:,.0f} metrics a "
        f"day, {_rate(wanted.rate)} requests/s at the peak",
        "answers": f"{_milliseconds(needed.within(0.5)):.0f} ms in the median, "
        f"{_milliseconds(needed.within(0.99)):.0f} ms for 99 of 100 (a model)",
        "tracking": f"{_count(needed.replicas, 'server')} with {needed.processes:,} processes: "
        f"{_count(needed.server_cores, 'core')}, {_size(needed.server_memory)} of memory",
        "database": f"{_count(needed.database_cores, 'core')}, {_size(needed.database_memory)} of "
        f"memory; grows by {_size(wanted.database_growth)} a year",
        "connections": _connections(needed.connections),
        "objects": f"{_count(needed.object_cores, 'core')}, {_size(needed.object_memory)} of "
        f"memory; the bucket grows by {_size(wanted.bucket_growth)} a year",
    }
    width = max(map(len, rows))
    for name, text in rows.items():
        yield f"{name:<{width}}  {text}"


def _connections(count: int) -> str:
    if count > ASSUMED.most_connections:
        return f"{count:,}, too many without PgBouncer (more than {ASSUMED.most_connections})"
    if count > ASSUMED.usual_connections:
        return f"{count:,}, more than PostgreSQL's default of {ASSUMED.usual_connections}"
    return f"{count:,}"


def _verdict(usage: Usage, found: Planned, limits: Bound) -> Iterator[str]:
    """Yield which arrangement is enough, why the one before is not, and until when."""
    who = "1 user needs" if usage.users == 1 else f"{usage.users:,} users need"
    stage = limits.stage
    yield f"{who} {_arrangement(limits, found)}"
    if limits.exceeded:
        before, amount = STAGES[STAGES.index(stage) - 1], AMOUNTS[limits.exceeded]
        most = _amount(amount, before.limits[limits.exceeded])
        yield f"why: {amount.title} is {_amount(amount, amount.of(found))}, above {most}"
    if limits.until is not None:
        yield f"enough for {limits.until:,} users; the next limit is {AMOUNTS[limits.limit].title}"


def _arrangement(limits: Bound, found: Planned) -> str:
    """Return an arrangement, with what is known of its size."""
    if limits.stage is STACKS:
        return f"{limits.stacks:,} stacks, each with stores of its own"
    if limits.stage is MACHINE:
        size = machine_size(found.sizing.memory)
        return f"one machine with {found.sizing.cores} cores and {size} GB of memory"
    return limits.stage.title


def _amount(amount: Amount, value: float) -> str:
    return _size(value) if amount.unit else f"{value:,.0f}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 1 else f"{rate:.2g}"


def _size(count: float) -> str:
    amount, unit = next(
        ((count / size, unit) for size, unit in UNITS if count >= size), (count / MB, "MB")
    )
    return f"{amount:,.1f} {unit}"
