"""`mlflow server` in a single process, for a server with one worker.

MLflow's command creates the database tables, prepares an environment, and starts uvicorn as a
second process, which imports everything again: twice the memory, and most of the startup time.
Here, uvicorn runs in the process that MLflow's command has prepared.

    python serve.py server --workers=1 ...
"""
# ruff: noqa: E402

import gc

# Imports allocate a lot and free little: garbage collection would take a fifth of the startup time.
gc.disable()

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NoReturn

import mlflow.server
import uvicorn
from mlflow.cli import cli

# Number of leading words in the command of MLflow: python -m uvicorn OPTIONS APP.
PYTHON_M_UVICORN = 3


def run_uvicorn(
    command: Sequence[str], *, extra_env: Mapping[str, str], **options: object
) -> NoReturn:
    """Run in this process what `mlflow.server._run_server` (3.17) would start in another."""
    del options
    os.environ.update(extra_env)
    # MLflow's app reads the environment on import, which happened before it was complete.
    for name in [*sys.modules]:
        if name.split(".")[:2] == ["mlflow", "server"]:
            del sys.modules[name]
    # The command ends with MODULE:APP.
    import_module(command[-1].partition(":")[0])
    # What was imported stays, so later collections need not look at it.
    gc.freeze()
    gc.enable()
    uvicorn.main(command[PYTHON_M_UVICORN:], prog_name="uvicorn")
    raise SystemExit


if __name__ == "__main__":
    mlflow.server._exec_cmd = run_uvicorn  # noqa: SLF001 - there is no public hook
    cli(prog_name="mlflow")
