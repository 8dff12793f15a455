"""Open a shell of the database on the user's terminal: psql, or one for SQLite."""

from mlflow_compose.engines import Engine, RemoteError, attach_modules, run_modules
from mlflow_compose.errors import QueryError
from mlflow_compose.queries.inside import (
    postgres,
    prepare,
    role,
    rows,
    sqlite,
    sqlite_shell,
    table,
    tables,
)
from mlflow_compose.stack import POSTGRES_CLIENT

POSTGRES_MODULES = (tables, rows, role, postgres, prepare)
SQLITE_MODULES = (tables, rows, sqlite, table, sqlite_shell)
HINT = (
    "mlflow-compose verify finds the cause; without Docker, TLS needs PostgreSQL's own psql in PATH"
)


def open_shell(engine: Engine, *, terminal: bool) -> None:
    """Open a shell in which runs can be read, and return when it is closed.

    Args:
        engine: Engine of the stack.
        terminal: Whether the standard streams are a terminal.

    Raises:
        QueryError: It cannot be opened.
    """
    stores = engine.stack.stores
    if stores.uses_postgres:
        command = ("psql", "--no-psqlrc", _connection(_schema(engine)))
        outcome = engine.attach(POSTGRES_CLIENT, command, terminal=terminal)
    else:
        request = {"backend": stores.backend_uri}
        outcome = attach_modules(engine, SQLITE_MODULES, request, terminal=terminal)
    if outcome.exit_code:
        reason = outcome.stderr or f"the shell ended with exit code {outcome.exit_code}"
        raise QueryError(reason, hint=HINT)


def _schema(engine: Engine) -> str:
    """Make sure that the role that can only read exists; return the schema of the tables."""
    try:
        return run_modules(engine, POSTGRES_MODULES, {"reader": engine.stack.reader}, str)
    except RemoteError as error:
        hint = str(error.facts.get("hint") or "mlflow-compose logs mlflow shows more")
        raise QueryError(str(error), hint=hint) from None


def _connection(schema: str) -> str:
    """Return the connection string of a session that starts transactions read-only."""
    # Spaces separate options, and backslashes quote them:
    # https://www.postgresql.org/docs/current/libpq-connect.html
    path = schema.replace("\\", r"\\").replace(" ", r"\ ")
    options = f"-c default_transaction_read_only=on -c search_path={path}"
    quoted = options.replace("\\", r"\\").replace("'", r"\'")
    return f"service=reader options='{quoted}'"
