"""Run a query on a SQLite file, which is opened for reading only."""

import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow_compose.engines.inside.answer import Failure, Request
from mlflow_compose.queries.inside.rows import report
from mlflow_compose.queries.inside.tables import READABLE

PREFIX = "sqlite:///"
# The table that describes the others, functions that are read like tables, and subqueries.
OTHERS = frozenset({"sqlite_master", "sqlite_schema", "json_each", "json_tree", ""})
ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})


def read(request: Request) -> bool:
    """Run the query; return whether there are more rows than the limit."""
    try:
        with closing(connect(request["backend"])) as connection:
            numbered = {f"argument_{n}": value for n, value in enumerate(request["arguments"], 1)}
            # Raises for more than one statement.
            cursor = connection.execute(request["query"], numbered)
            columns = [name for name, *_ in cursor.description or ()]
            return report(columns, cursor.fetchmany, request["limit"])
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise Failure(str(error)) from None


def connect(backend: str) -> sqlite3.Connection:
    """Open the file of a URI, so that nothing can be changed, and no secret can be read."""
    file = Path(backend.removeprefix(PREFIX)).absolute()
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, view: str | None
) -> int:
    """Allow to read tables without secrets, and to call functions that read."""
    del database, view
    is_read = action == sqlite3.SQLITE_READ and first in READABLE | OTHERS
    is_call = action == sqlite3.SQLITE_FUNCTION and second != "load_extension"
    allowed = action in ALLOWED or is_read or is_call
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
