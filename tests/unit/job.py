"""The modules of the bucket job, imported as they import each other in their container."""

import sys
from importlib import import_module
from types import ModuleType

from mlflow_compose.paths import templates


def job_module(name: str) -> ModuleType:
    """Return a module of the job."""
    folder = str(templates() / "compose" / "bucket-init")
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(name)
