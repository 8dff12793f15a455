"""Replace the rows of a stack's database by those of a SQLite file."""

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request, progress

PREFIX = "sqlite:///"


def main(request: Request) -> dict[str, int]:
    """Load the file from standard input; return the number of rows by table.

    Args:
        request: `backend` (URI).
    """
    backend: str = request["backend"]
    with tables.database_errors(), tempfile.TemporaryDirectory() as folder:
        # Its schema may be older, and upgrading changes the file.
        copy = Path(folder, "copy.db")
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if backend.startswith(PREFIX):
            return _replace_file(copy, Path(backend.removeprefix(PREFIX)))
        source = f"{PREFIX}{copy}"
        # Users of the stack that the file does not have must not stay.
        login = tables.has_login(source) or tables.has_login(backend)
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
