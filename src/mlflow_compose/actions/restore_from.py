"""`restore`, with what the stack cannot read of the snapshot."""

from dataclasses import replace
from datetime import datetime

from mlflow_compose.actions.private import unreadable_values
from mlflow_compose.actions.restore import Work, restore
from mlflow_compose.result import Result


def restore_from(work: Work, source: str, now: datetime) -> Result:
    """Put a snapshot into the stack, and say what the stack cannot read of it.

    Args:
        work: The stack.
        source: Name of the snapshot.
        now: The current time, with its time zone.

    Raises:
        SnapshotError: The snapshot is damaged, does not fit the stack, or cannot be loaded.
    """
    result = restore(work, source, now)
    unreadable = unreadable_values(work.plan, work.find(source))
    return replace(result, lines=[*result.lines, unreadable]) if unreadable else result
