"""`down`: stop what runs, and with `--volumes` delete the stack's own data."""

from mlflow_compose.actions.changed import as_started
from mlflow_compose.actions.folders import held_folders
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.restoring import end as end_restoring
from mlflow_compose.actions.upgrading import end as end_upgrading
from mlflow_compose.engines import Engine
from mlflow_compose.payloads import Stopped
from mlflow_compose.record import read_record, write_record
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack import Stack

AGAIN = "mlflow-compose up starts the stack again"


def down(
    plan: Plan, engine: Engine, progress: Progress, *, volumes: bool, again: str = AGAIN
) -> Result:
    """Stop and remove the services; with `volumes`, their data too.

    Args:
        plan: The stack.
        engine: Its engine.
        progress: Receiver of progress.
        volumes: Whether to delete the data.
        again: What starts the services again, as a sentence.
    """
    engine.check()
    before = engine.status()
    # The stores of the last start, which the current settings may no longer name.
    stack = as_started(plan, read_record(plan.paths)).stack
    external = [*stack.folders, *(place.text for place in stack.stores.elsewhere.values())]
    outside = engine.stop(progress, volumes=volumes)
    _update_record(plan, stack, volumes=volumes)
    message = "stopped" if before else "nothing was running"
    if volumes:
        kept = f"; the data in {' and '.join(external)} is kept" if external else ""
        message += f"; the volumes were deleted{kept}{f'; {outside}' if outside else ''}"
    elif before:
        message += f"; the data is kept, {again}{f'; {outside}' if outside else ''}"
    return Result(Stopped(engine.stack.name, volumes), [message])


def _update_record(plan: Plan, stack: Stack, *, volumes: bool) -> None:
    """Record that nothing runs, and with `volumes` that the data is deleted."""
    record, engine = read_record(plan.paths), stack.site.engine
    after = record.stopped(engine)
    if volumes:
        # Interrupted, they would put their old data back into the next stack.
        end_restoring(plan.paths)
        end_upgrading(plan.paths)
        elsewhere = bool(stack.folders or stack.stores.elsewhere)
        after = after.without_volumes(engine, elsewhere=elsewhere)
        kept = [name for name in held_folders(plan) if name in stack.folders]
        after = after.with_folders(engine, plan.identity.id, kept) if kept else after
    if after != record:
        write_record(after, plan.paths)


def what_is_lost(engine: Engine) -> str:
    """Return the question whether to delete a stack's volumes; it lists their contents."""
    engine.check()
    stack, old = engine.stack, engine.unused_volumes()
    *others, last = stack.own_data or ("",)
    own = f"{', '.join(others)} and {last}" if others else last
    more = f", and the older data in {' and '.join(old)}" if old else ""
    place = f" in {stack.site.namespace}" if stack.site.namespace else ""
    what = f"all {own}" if own else "the volumes"
    return f"Delete {what} of the stack {stack.name}{place}{more}?"
