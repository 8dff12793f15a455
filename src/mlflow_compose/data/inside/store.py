"""Open any source as a database with this MLflow version's schema; the source stays unchanged."""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside.damaged import unreadable
from mlflow_compose.data.inside.tables import (
    CHUNK_ROWS,
    CopyError,
    OnProgress,
    Row,
    insert_missing,
    open_database,
    reflected,
    upgrade,
    with_experiment,
)

# Names in the staging folder (`importing/staging.py`, `importing/importer.py`).
DATABASE, ROWS, RUNS = "mlflow.db", "rows.jsonl", "mlruns"
# Columns that the REST API does not return.
DEFAULTS = {"workspace": "default"}
# Key columns of what an mlruns folder keeps in files.
KEYS = {
    "experiments": ("experiment_id",),
    "runs": ("run_uuid",),
    "trace_info": ("request_id",),
    "assessments": ("assessment_id",),
    "logged_models": ("model_id",),
    "registered_models": ("name",),
    "model_versions": ("name", "version"),
}
# Number of damaged files that an error names.
NAMED = 5


def open_source(kind: str, staged: Path, scratch: Path, on_progress: OnProgress) -> Any:
    """Return the engine of a database with all rows of the source.

    Args:
        kind: folder, sqlite or server.
        staged: Folder with everything of the source but its artifacts.
        scratch: Folder for the database, which is changed.
        on_progress: Receiver of progress.

    Raises:
        CopyError: The source cannot be read.
    """
    path = scratch / DATABASE
    uri = f"sqlite:///{path}"
    if kind == "folder":
        on_progress("reading the folder")
        _migrate(staged, uri, on_progress)
        return open_database(uri)
    if kind == "sqlite":
        shutil.copyfile(staged / DATABASE, path)
    on_progress("bringing the database to this MLflow's schema")
    upgrade(uri)
    engine = open_database(uri)
    if kind == "server":
        _load_rows(engine, staged / ROWS)
    return engine


def _migrate(staged: Path, uri: str, on_progress: OnProgress) -> None:
    """Convert an mlruns folder to a database with MLflow's own command."""
    command = [sys.executable, "-m", "mlflow", "migrate-filestore"]
    last = ""
    with subprocess.Popen(  # noqa: S603 - nothing is interpreted
        [*command, "--source", str(staged), "--target", uri],
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
                on_progress(last)
    if process.returncode:
        damaged = ", ".join(str(path.relative_to(staged)) for path in unreadable(staged)[:NAMED])
        cause = f"; these files are damaged: {damaged}" if damaged else ""
        raise CopyError(f"mlflow migrate-filestore failed: {last}{cause}", damaged=bool(damaged))


def known_keys(engine: Any) -> dict[str, set[str]]:
    """Return the keys of what was converted from a folder, by table."""
    known = {}
    with engine.connect() as reading:
        tables = reflected(engine).tables
        for name, columns in KEYS.items():
            table = tables[name]
            query = table.select().with_only_columns(*(table.c[column] for column in columns))
            if name == "runs":
                query = query.where(with_experiment(tables, table))
            known[name] = {"/".join(map(str, row)) for row in reading.execute(query)}
    return known


def _load_rows(engine: Any, file: Path) -> None:
    """Insert the rows of a JSON Lines file, without unknown columns.

    Rows may be duplicates: a dataset is listed with each run that uses it, and a run appears on two
    pages if another one was created in between, since the newest are listed first.
    """
    tables = reflected(engine).tables
    pending: dict[str, list[Row]] = defaultdict(list)
    with engine.begin() as writing, file.open(encoding="utf-8") as lines:
        # The default experiment of a new database is in the file too.
        writing.execute(tables["experiments"].delete())
        for line in lines:
            name, row = json.loads(line)
            pending[name].append(_complete(tables[name], row))
            if len(pending[name]) >= CHUNK_ROWS:
                insert_missing(writing, tables[name], pending.pop(name))
        for name, rest in pending.items():
            insert_missing(writing, tables[name], rest)


def _complete(table: Any, row: Row) -> Row:
    names = [column.name for column in table.columns]
    return {name: row.get(name, DEFAULTS.get(name)) for name in names}
