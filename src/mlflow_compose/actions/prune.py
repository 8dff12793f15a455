"""`migrate-store --prune`: delete the data that migrations copied, and nothing else."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence

from mlflow_compose.actions.ongoing import ongoing_migration
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import Pruned
from mlflow_compose.record import Record, read_record, write_record
from mlflow_compose.result import Result
from mlflow_compose.stack import PROVIDERS


def unused(plan: Plan, engine: Engine) -> tuple[str, ...]:
    """Return the existing volumes that migrations left behind after copying all of their data.

    Raises:
        EngineError: The engine cannot be used.
        UsageError: One of them is in use again, or a migration has not completed.
    """
    engine.check()
    if ongoing_migration(plan.paths):
        # Until the stack runs on its new stores, only the old data is known to be good.
        raise UsageError(
            "a migration has not ended, so there is nothing to delete yet",
            hint="mlflow-compose up finishes it or restores the stack",
        )
    record = read_record(plan.paths)
    left_over = {*record.left_over.get(plan.stack.site.engine, ())}
    if again := sorted(left_over & {*plan.stack.volumes}):
        raise UsageError(
            f"{', '.join(again)} is in use again, so it is not deleted",
            hint="mlflow-compose status shows where the data is",
        )
    existing = engine.unused_volumes()
    return tuple(sorted((left_over & {*existing}) - _kept(plan, record, existing).keys()))


def prune(plan: Plan, engine: Engine, volumes: Sequence[str]) -> Result:
    """Delete volumes that migrations left behind; report and forget those that are gone."""
    removed = engine.remove_volumes(volumes)
    record = read_record(plan.paths).pruned(plan.stack.site.engine, removed.volumes)
    write_record(record, plan.paths)
    kept = _kept(plan, record, engine.unused_volumes())
    lines = [f"deleted: {', '.join(removed.volumes)}"] if removed.volumes else []
    lines += [*([removed.kept] if removed.kept else []), *_kept_lines(kept, engine)]
    return Result(Pruned(removed.volumes, kept), lines or ["there is no unused data"])


def _kept(plan: Plan, record: Record, existing: Collection[str]) -> Mapping[str, Sequence[str]]:
    """Return the unused volumes with buckets that were not copied, which may be unknown.

    Args:
        plan: Plan of the stack.
        record: Its record.
        existing: Its unused volumes.
    """
    servers = {provider.volume for provider in PROVIDERS.values()}
    found = record.not_copied(plan.stack.site.engine, servers)
    return {name: buckets for name, buckets in sorted(found.items()) if name in existing}


def _kept_lines(kept: Mapping[str, Sequence[str]], engine: Engine) -> Iterator[str]:
    for name, buckets in kept.items():
        if buckets:
            yield f"{name} was not deleted: it also holds buckets that were not copied:"
        else:
            yield f"{name} was not deleted: it is unknown whether all of its buckets were copied"
        yield from (f"  {bucket}" for bucket in buckets)
        yield f"{shlex.join(engine.removal_command(name))} deletes it with all of them"
