"""`mlflow server` in which everything is imported once.

MLflow's command creates the database tables, prepares an environment, and starts uvicorn as a
second process, which starts a third for each worker; all of them import everything again, which
takes most of the memory and of the startup time. Here, uvicorn runs in the process that MLflow's
command has prepared, and several workers are forked from it.

    python serve.py server --workers=2 ...
"""
# ruff: noqa: E402

import gc

if __name__ == "__main__":
    # Imports allocate a lot and free little: collecting would take a fifth of the startup time.
    gc.disable()

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NoReturn

import mlflow.server
import uvicorn
from mlflow.cli import cli
from sqlalchemy import Engine

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
    share_with_workers()
    uvicorn.main(command[PYTHON_M_UVICORN:], prog_name="uvicorn")
    raise SystemExit


def share_with_workers() -> None:
    """Let uvicorn fork its workers, which then share the memory of all that was imported."""
    if sys.platform == "linux":
        # uvicorn 0.54 has no option for it. Libraries of macOS do not survive a fork.
        vars(uvicorn._subprocess)["spawn"] = multiprocessing.get_context("fork")  # noqa: SLF001
    # MLflow's command has opened connections, and no two processes may use the same one.
    for engine in [found for found in gc.get_objects() if isinstance(found, Engine)]:
        engine.dispose()
    # What was imported stays: collections that looked at it would also copy its memory.
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    mlflow.server._exec_cmd = run_uvicorn  # noqa: SLF001 - there is no public hook
    cli(prog_name="mlflow")
