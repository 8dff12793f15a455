"""`migrate-store --prune`: delete the data that migrations copied, and nothing else."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from mlflow_compose.actions.ongoing import ongoing_migration
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import Pruned
from mlflow_compose.record import read_record, write_record
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
    left_over = {*read_record(plan.paths).left_over.get(plan.stack.site.engine, ())}
    if again := sorted(left_over & {*plan.stack.volumes}):
        raise UsageError(
            f"{', '.join(again)} is in use again, so it is not deleted",
            hint="mlflow-compose status shows where the data is",
        )
    existing = left_over & {*engine.unused_volumes()}
    return tuple(sorted(existing - _kept(plan, engine).keys()))


def prune(plan: Plan, engine: Engine, volumes: Sequence[str]) -> Result:
    """Delete volumes that migrations left behind; report and forget those that are gone."""
    removed = engine.remove_volumes(volumes)
    record = read_record(plan.paths).pruned(plan.stack.site.engine, removed.volumes)
    write_record(record, plan.paths)
    kept = _kept(plan, engine)
    lines = [f"deleted: {', '.join(removed.volumes)}"] if removed.volumes else []
    lines += [*([removed.kept] if removed.kept else []), *_kept_lines(kept, engine)]
    return Result(Pruned(removed.volumes, kept), lines or ["there is no unused data"])


def _kept(plan: Plan, engine: Engine) -> Mapping[str, Sequence[str]]:
    """Return the unused volumes with buckets that were not copied, which may be unknown."""
    servers = {provider.volume for provider in PROVIDERS.values()}
    found = read_record(plan.paths).not_copied(plan.stack.site.engine, servers)
    existing = engine.unused_volumes()
    return {name: buckets for name, buckets in sorted(found.items()) if name in existing}


def _kept_lines(kept: Mapping[str, Sequence[str]], engine: Engine) -> Iterator[str]:
    for name, buckets in kept.items():
        if buckets:
            yield f"{name} was not deleted: it also holds buckets that were not copied:"
        else:
            yield f"{name} was not deleted: it is unknown whether all of its buckets were copied"
        yield from (f"  {bucket}" for bucket in buckets)
        yield f"{shlex.join(engine.removal_command(name))} deletes it with all of them"
