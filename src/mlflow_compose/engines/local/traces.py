"""Delete the logs and the marks of services that will not come back."""

from collections.abc import Iterable
from pathlib import Path

from mlflow_compose.engines.local.supervisor import GUARD, RUN
from mlflow_compose.stack import Service

LOGS = "logs"
# Files of a service in RUN, which its script creates.
MARKS = ("starts", "started", "done")
SUPERVISORD = "supervisord"


def remove_traces(folder: Path, services: Iterable[Service]) -> None:
    """Delete the logs and the marks of seats, and of services that the stack no longer has.

    Those of the others stay: they show what happened before the data was deleted.

    Args:
        folder: Folder of the rendered files.
        services: All services of the stack.
    """
    kept = {SUPERVISORD, GUARD, *(each.name for each in services if not each.is_independent)}
    logs = {file: file.name.partition(".log")[0] for file in (folder / LOGS).glob("*.log*")}
    marks = {file: file.stem for mark in MARKS for file in (folder / RUN).glob(f"*.{mark}")}
    for file, service in {**logs, **marks}.items():
        if service not in kept:
            file.unlink(missing_ok=True)
