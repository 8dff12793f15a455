"""`import`: copy runs, artifacts and models into the stack."""

from mlflow_compose.actions.plan import Plan
from mlflow_compose.checks import check_owner
from mlflow_compose.data.importing import Import, Source, recognise, sender
from mlflow_compose.engines import Engine
from mlflow_compose.result import Progress, Result

__all__ = ["import_", "recognise"]


def import_(plan: Plan, engine: Engine, progress: Progress, source: Source) -> Result:
    """Import experiments, runs, artifacts and models into the running stack.

    Args:
        plan: The stack.
        engine: Engine of the stack.
        progress: Receiver of progress.
        source: Source of the data.

    Raises:
        SourceError: The source does not exist or cannot be read.
        EngineError: The stack is not running.
        IncompleteError: The stack stopped answering.
    """
    importing = Import(source, engine, sender(plan.stack), progress, check_owner)
    return importing.run(plan.paths)
