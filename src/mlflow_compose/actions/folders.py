"""The folders that hold a stack's data: `up` must not recreate one if its disk is not mounted."""

from collections.abc import Collection

from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.record import read_record, write_record


def held_folders(plan: Plan) -> Collection[str]:
    """Return the folders that held a stack's data at its last start."""
    return read_record(plan.paths).folders_of(plan.stack.site.engine, plan.identity.id)


def record_folders(plan: Plan, engine: Engine) -> None:
    """Record which folders hold a stack's data, after a start.

    Raises:
        FilesError: The record cannot be written.
    """
    record = read_record(plan.paths)
    after = record.with_folders(plan.stack.site.engine, plan.identity.id, engine.data_folders())
    if after != record:
        write_record(after, plan.paths)
