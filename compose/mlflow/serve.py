"""`mlflow server` in which everything is imported once.

MLflow's command creates the database tables, prepares an environment, and starts uvicorn as a
second process, which starts a third for each worker; all of them import everything again, which
takes most of the memory and of the startup time. Here, uvicorn runs in the process that MLflow's
command has prepared, and several workers are forked from it.

    python serve.py server --workers=2 ...

The tables of an empty database are created at once, not by some fifty migrations one by one.
"""
# ruff: noqa: E402

import gc

if __name__ == "__main__":
    # Imports allocate a lot and free little: collecting would take a fifth of the startup time.
    gc.disable()

import argparse
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow.server
import uvicorn
from mlflow.cli import cli
from sqlalchemy import Engine, create_engine, inspect, make_url
from sqlalchemy.exc import OperationalError

# The command of MLflow is: python -m uvicorn OPTIONS APP.
UVICORN = ["-m", "uvicorn"]
# What MLflow's migrations create, by kind of database; a test compares them.
SCHEMAS = Path(__file__).with_name("schema")
start_process = mlflow.server._exec_cmd  # noqa: SLF001 - there is no public hook


def backend_store(arguments: Sequence[str]) -> str | None:
    """Return the URI of the backend store among the arguments of the command."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--backend-store-uri")
    given, _ = parser.parse_known_args(arguments)
    uri: str | None = given.backend_store_uri
    return uri


def create_tables(uri: str) -> None:
    """Create all tables if the database is empty, completely or not at all.

    Versions and databases without a prepared schema are left to MLflow's migrations, and a database
    that does not answer yet to its patience.
    """
    file = SCHEMAS / f"{make_url(uri).get_backend_name()}.sql"
    script = file.read_text(encoding="utf-8") if file.exists() else ""
    if script.partition("\n")[0] != f"-- MLflow {mlflow.__version__}":
        return
    engine = create_engine(uri)
    with suppress(OperationalError):
        if inspect(engine).get_table_names():
            return
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            # SQLite's other method executes only one statement.
            getattr(cursor, "executescript", cursor.execute)(script)
            connection.commit()
    engine.dispose()


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
    open_stores()
    share_with_workers()
    uvicorn.main(words[len(UVICORN) :], prog_name="uvicorn")
    raise SystemExit


def open_stores() -> None:
    """Connect to the database once for all workers, each of which would do so on its first request.

    Until then, a worker could not even tell its version while the database is down.
    """
    server = import_module("mlflow.server")
    if not os.environ.get(server.ARTIFACTS_ONLY_ENV_VAR):
        server.handlers.initialize_backend_stores()


def share_with_workers() -> None:
    """Let uvicorn fork its workers, which then share the memory of all that was imported."""
    if sys.platform == "linux":
        # uvicorn 0.54 has no option for it. Libraries of macOS do not survive a fork.
        vars(uvicorn._subprocess)["spawn"] = multiprocessing.get_context("fork")  # noqa: SLF001
    # No two processes may use the same connection. Only the type is asked: a proxy would ask what it
    # stands for, which may be gone.
    for engine in [found for found in gc.get_objects() if issubclass(type(found), Engine)]:
        engine.dispose()
    if numpy_random := sys.modules.get("numpy.random"):
        # Unlike Python's, its numbers would be the same in all workers.
        os.register_at_fork(after_in_child=numpy_random.seed)
    # What was imported stays: collections that looked at it would also copy its memory.
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    if uri := backend_store(sys.argv[1:]):
        create_tables(uri)
    mlflow.server._exec_cmd = run_uvicorn  # noqa: SLF001
    cli(prog_name="mlflow")
