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
from typing import Any

import mlflow.server
import uvicorn
from mlflow.cli import cli
from sqlalchemy import Engine

# The command of MLflow is: python -m uvicorn OPTIONS APP.
UVICORN = ["-m", "uvicorn"]
start_process = mlflow.server._exec_cmd  # noqa: SLF001 - there is no public hook


def run_uvicorn(
    command: Sequence[str], *, extra_env: Mapping[str, str], **options: Any
) -> object:
    """Run in this process what `mlflow.server._run_server` (3.17) would start in another."""
    _, *words = command
    if words[: len(UVICORN)] != UVICORN:
        # Options of the command can choose another server.
        gc.enable()
        return start_process(command, extra_env=extra_env, **options)
    os.environ.update(extra_env)
    # MLflow's app reads the environment on import, which happened before it was complete.
    for name in [*sys.modules]:
        if name.split(".")[:2] == ["mlflow", "server"]:
            del sys.modules[name]
    # The command ends with MODULE:APP.
    import_module(command[-1].partition(":")[0])
    share_with_workers()
    uvicorn.main(words[len(UVICORN) :], prog_name="uvicorn")
    raise SystemExit


def share_with_workers() -> None:
    """Let uvicorn fork its workers, which then share the memory of all that was imported."""
    if sys.platform == "linux":
        # uvicorn 0.54 has no option for it. Libraries of macOS do not survive a fork.
        vars(uvicorn._subprocess)["spawn"] = multiprocessing.get_context("fork")  # noqa: SLF001
    # MLflow's command has opened connections, and no two processes may use the same one. Only the
    # type is asked: a proxy would ask what it stands for, which may be gone.
    for engine in [found for found in gc.get_objects() if issubclass(type(found), Engine)]:
        engine.dispose()
    if numpy_random := sys.modules.get("numpy.random"):
        # Unlike Python's, its numbers would be the same in all workers.
        os.register_at_fork(after_in_child=numpy_random.seed)
    # What was imported stays: collections that looked at it would also copy its memory.
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    mlflow.server._exec_cmd = run_uvicorn  # noqa: SLF001
    cli(prog_name="mlflow")
