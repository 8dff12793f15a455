"""Delete the logs and the marks of services that will not come back."""

from collections.abc import Iterable
from pathlib import Path

from mlflow_compose.engines.local.supervisor import RUN
from mlflow_compose.stack import Service

LOGS = "logs"


def remove_traces(folder: Path, services: Iterable[Service]) -> None:
    """Delete the logs and the marks of services that are deleted with their data.

    Those of the others stay: they show what happened before the data was deleted.

    Args:
        folder: Folder of the rendered files.
        services: All services of the stack.
    """
    for service in services:
        if service.is_independent:
            for file in (
                *(folder / LOGS).glob(f"{service.name}.log*"),
                *(folder / RUN).glob(f"{service.name}.*"),
            ):
                file.unlink(missing_ok=True)
