"""Open any source as a database with this MLflow's schema, without writing to the source."""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside.tables import (
    CHUNK,
    CopyError,
    Row,
    Say,
    insert_missing,
    open_database,
    reflected,
    upgrade,
)

# What the tool puts into the folder that this is given.
DATABASE, ROWS, RUNS = "mlflow.db", "rows.jsonl", "mlruns"
# What every row of MLflow has that its REST API does not tell.
DEFAULTS = {"workspace": "default"}


def open_source(kind: str, given: Path, scratch: Path, say: Say) -> Any:
    """Return the engine of a database with everything that the source has.

    Args:
        kind: folder, sqlite or server.
        given: Folder with what was taken from the source.
        scratch: Folder for a copy that may be changed.
        say: Is told what happens.

    Raises:
        CopyError: It cannot be read.
    """
    path = scratch / DATABASE
    uri = f"sqlite:///{path}"
    if kind == "folder":
        say("reading the folder")
        _migrate(given, uri, say)
        return open_database(uri)
    if kind == "sqlite":
        shutil.copyfile(given / DATABASE, path)
    say("bringing the database to this MLflow's schema")
    upgrade(uri)
    engine = open_database(uri)
    if kind == "server":
        _fill(engine, given / ROWS)
    return engine


def _migrate(given: Path, uri: str, say: Say) -> None:
    """Turn an mlruns folder into a database with MLflow's own command."""
    command = [sys.executable, "-m", "mlflow", "migrate-filestore"]
    last = ""
    with subprocess.Popen(  # noqa: S603 - nothing is interpreted
        [*command, "--source", str(given), "--target", uri],
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            last = line.strip() or last
            if last.startswith("["):
                say(last)
    if process.returncode:
        raise CopyError(f"mlflow migrate-filestore failed: {last}")


def passed_over(engine: Any, given: Path) -> list[str]:
    """Describe the folders that MLflow's command skipped.

    It passes over what has a damaged `meta.yaml`, and ends well (`fs2db._utils.safe_read_yaml`).
    """
    top = given / RUNS
    experiments = [
        folder
        for parent in (top, top / ".trash")
        for folder in parent.glob("*")
        if folder.name.isdigit()
    ]
    found = {
        ("experiment", "experiments", "experiment_id"): experiments,
        ("run", "runs", "run_uuid"): _described(experiments, "*"),
        ("logged model", "logged_models", "model_id"): _described(experiments, "models/*"),
        ("registered model", "registered_models", "name"): _described([top], "models/*"),
    }
    left = []
    with engine.connect() as reading:
        tables = reflected(engine).tables
        for (kind, name, column), folders in found.items():
            query = tables[name].select().with_only_columns(tables[name].c[column])
            known = {str(row[0]) for row in reading.execute(query)}
            left += [
                f"{kind} {folder.name}: its meta.yaml is damaged or missing"
                for folder in folders
                if folder.name not in known
            ]
    return left


def _described(parents: Iterable[Path], pattern: str) -> list[Path]:
    found = (path for parent in parents for path in parent.glob(f"{pattern}/meta.yaml"))
    return sorted(path.parent for path in found)


def _fill(engine: Any, file: Path) -> None:
    """Insert the rows of a JSON lines file, without unknown columns.

    A row may come twice: a data set with each run that read it, and a run where another one was
    made while the server was read, since its pages are counted from the newest.
    """
    tables = reflected(engine).tables
    waiting: dict[str, list[Row]] = defaultdict(list)
    with engine.begin() as writing, file.open(encoding="utf-8") as lines:
        # The one that a new database has is in the file too.
        writing.execute(tables["experiments"].delete())
        for line in lines:
            name, row = json.loads(line)
            waiting[name].append(_whole(tables[name], row))
            if len(waiting[name]) >= CHUNK:
                insert_missing(writing, tables[name], waiting.pop(name))
        for name, left in waiting.items():
            insert_missing(writing, tables[name], left)


def _whole(table: Any, row: Row) -> Row:
    names = [column.name for column in table.columns]
    return {name: row.get(name, DEFAULTS.get(name)) for name in names}
