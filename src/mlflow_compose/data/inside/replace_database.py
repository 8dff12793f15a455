"""Replace the rows of a stack's database by those of a SQLite file."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request, progress

PREFIX = "sqlite:///"


def main(request: Request) -> dict[str, int]:
    """Load a file of the shared folder; return the number of rows by table.

    Args:
        request: `backend` (URI), `file` (name in the folder), `folder_variable`.
    """
    shared = Path(os.environ[request["folder_variable"]], request["file"])
    backend: str = request["backend"]
    with tables.database_errors(), tempfile.TemporaryDirectory() as folder:
        # Its schema may be older, and upgrading changes the file.
        copy = Path(folder, "copy.db")
        shutil.copyfile(shared, copy)
        if backend.startswith(PREFIX):
            return _replace_file(copy, Path(backend.removeprefix(PREFIX)))
        source = f"{PREFIX}{copy}"
        login = tables.LOGIN_TABLE in tables.reflected(tables.open_database(source)).tables
        tables.upgrade(source, login=login)
        return tables.copy_all(source, backend, progress, replace=True)


def _replace_file(copy: Path, file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(file)) as target:
        # One transaction: a reader sees the old content or the new one.
        source.backup(target)
    found = tables.open_database(f"{PREFIX}{file}")
    with found.connect() as reading:
        return {
            name: tables.count(reading, table)
            for name, table in tables.reflected(found).tables.items()
        }
