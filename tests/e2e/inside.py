"""The engine of a stack, as the tool itself uses it."""

from mlflow_compose.actions import load_plan, read_settings
from mlflow_compose.engines import Engine, open_engine
from mlflow_compose.targets import target_of

from .running import RunningStack
from .tool import environment


def engine_of(stack: RunningStack) -> Engine:
    """Return the engine of a stack."""
    world = environment()
    loaded, paths = read_settings(stack.env_file, world)
    plan = load_plan(loaded, paths, world, target_of(stack.engine))
    return open_engine(plan.stack, plan.paths, plan.identity, world)
