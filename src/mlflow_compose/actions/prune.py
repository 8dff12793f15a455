"""`migrate-store --prune`: delete the data that migrations left behind, and nothing else."""

from collections.abc import Sequence

from mlflow_compose.actions.ongoing import ongoing_migration
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import Pruned
from mlflow_compose.record import read_record, write_record
from mlflow_compose.result import Result


def unused(plan: Plan, engine: Engine) -> tuple[str, ...]:
    """Return the existing volumes that migrations left behind.

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
    return tuple(sorted(left_over & {*engine.unused_volumes()}))


def prune(plan: Plan, engine: Engine, volumes: Sequence[str]) -> Result:
    """Delete volumes that migrations left behind."""
    outside = engine.remove_volumes(volumes)
    write_record(read_record(plan.paths).pruned(plan.stack.site.engine, volumes), plan.paths)
    message = f"deleted: {', '.join(volumes)}" if volumes else "there is no unused data"
    return Result(Pruned(volumes), [message, *([outside] if outside else [])])
