"""Imports the modules of bucket-init as they import each other in the container."""

import sys
from importlib import import_module
from types import ModuleType

from mlflow_compose.paths import templates


def job_module(name: str) -> ModuleType:
    """Return a module of bucket-init."""
    folder = str(templates() / "compose" / "bucket-init")
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(name)
