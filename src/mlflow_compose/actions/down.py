"""`down`: stop what runs, and with `--volumes` delete the stack's own data."""

from mlflow_compose.actions.changed import as_started
from mlflow_compose.actions.folders import held_folders
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.payloads import Stopped
from mlflow_compose.record import read_record, write_record
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack import Stack


def down(plan: Plan, engine: Engine, progress: Progress, *, volumes: bool) -> Result:
    """Stop and remove the services; with `volumes`, their data too."""
    engine.check()
    before = engine.status()
    # Its data as last started, whatever the current settings are.
    stack = as_started(plan, read_record(plan.paths)).stack
    others = [*stack.folders, *(place.text for place in stack.stores.elsewhere.values())]
    left = engine.stop(progress, volumes=volumes)
    _forget(plan, stack, volumes=volumes)
    said = "stopped" if before else "nothing was running"
    if volumes:
        kept = f"; what is in {' and '.join(others)} is kept" if others else ""
        said += f"; the volumes were deleted{kept}{f'; {left}' if left else ''}"
    elif before:
        said += "; the data is kept, mlflow-compose up starts the stack again"
    return Result(Stopped(engine.stack.name, volumes), [said])


def _forget(plan: Plan, stack: Stack, *, volumes: bool) -> None:
    """Record that nothing runs, and with `volumes` that the data is deleted."""
    record, engine = read_record(plan.paths), stack.site.engine
    after = record.stopped(engine)
    if volumes:
        elsewhere = bool(stack.folders or stack.stores.elsewhere)
        after = after.emptied(engine, elsewhere=elsewhere)
        kept = [name for name in held_folders(plan) if name in stack.folders]
        after = after.holding(engine, plan.identity.id, kept) if kept else after
    if after != record:
        write_record(after, plan.paths)


def what_is_lost(engine: Engine) -> str:
    """Return the question whether a stack's volumes may be deleted, with their contents."""
    engine.check()
    stack, old = engine.stack, engine.unused_volumes()
    *others, last = stack.own_data or ("",)
    own = f"{', '.join(others)} and {last}" if others else last
    more = f", and what it kept before in {' and '.join(old)}" if old else ""
    return f"Delete {f'all {own}' if own else 'the volumes'} of the stack {stack.name}{more}?"
