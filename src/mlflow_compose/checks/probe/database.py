"""The backend store: PostgreSQL, or a SQLite file."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlflow_compose.checks.probe.links import BrokenLink, Request

OLDEST_POSTGRES = 12
NUMBER = "SELECT experiment_id FROM experiments WHERE name = :name"
RUNS = (
    "SELECT runs.experiment_id, runs.run_uuid FROM runs JOIN experiments"
    " ON runs.experiment_id = experiments.experiment_id WHERE experiments.name = :name"
)
OTHER_WORKSPACES = "SELECT name FROM workspaces WHERE name <> 'default'"
# Tables with a column for the workspace, but with permissions instead of data.
WITHOUT_DATA = frozenset({"roles", "workspace_permissions"})
GRANTS = "DELETE FROM role_permissions WHERE resource_type = :kind AND resource_pattern = :value"

# Text in the driver's message, and its key in `causes`; the first match counts.
MESSAGES = {
    "could not translate host name": "pg_host",
    "password authentication failed": "pg_password",
    "server does not support SSL": "pg_no_tls",
    # With sslmode=prefer, libpq retries a login that was rejected with TLS without it.
    "SSL encryption": "pg_forbidden",
    "no encryption": "pg_tls_required",
    "SSL connection is required": "pg_tls_required",
    "certificate verify failed": "pg_certificate",
    # OpenSSL's message for another CA with the same name.
    "signature failure": "pg_certificate",
    "does not match host name": "pg_certificate_name",
    "root certificate file": "pg_certificate",
    "no pg_hba.conf entry": "pg_forbidden",
    "permission denied for database": "pg_forbidden",
    "does not exist": "pg_missing",
}


@dataclass(frozen=True)
class Rows:
    """The rows of `table` whose `columns` are in `chosen`."""

    table: str
    columns: list[str]
    chosen: str

    @property
    def where(self) -> str:
        """The WHERE condition."""
        return f"({', '.join(self.columns)}) IN {self.chosen}"


References = dict[str, list[tuple[str, list[str], list[str]]]]


def check(request: Request) -> str:
    """Connect as MLflow does, and find the run's row; without a run, check permissions."""
    from sqlalchemy import text

    run_id = request.get("run_id")
    with connect(request) as connection:
        if not request["workspaces"] and (hidden := workspaces(connection)):
            raise BrokenLink("workspaces_off", ", ".join(hidden))
        if run_id is None:
            check_rights(connection)
            return f"{request['runs'][0]} {version(connection)} {request['runs'][1]}"
        query = text("SELECT status FROM runs WHERE run_uuid = :run_id")
        if connection.execute(query, {"run_id": run_id}).first() is None:
            raise BrokenLink("row_missing", f"no row of run {run_id} in table runs")
        return f"1 run in {request['runs'][0]} {version(connection)} {request['runs'][1]}"


def workspaces(connection: Any) -> list[str]:  # noqa: ANN401 - sqlalchemy is only in the image
    """Return the workspaces with data, except the default one."""
    from sqlalchemy import inspect, text

    inspector = inspect(connection)
    # Older MLflow versions have none.
    if not inspector.has_table("workspaces"):
        return []
    found = {name for (name,) in connection.execute(text(OTHER_WORKSPACES))}
    used: set[str] = set()
    if found:
        for (_, table), columns in inspector.get_multi_columns().items():
            if table not in WITHOUT_DATA and any(one["name"] == "workspace" for one in columns):
                # The name comes from the database's catalogue.
                rows = connection.execute(text(f'SELECT DISTINCT workspace FROM "{table}"'))  # noqa: S608
                used.update(name for (name,) in rows)
    return sorted(found & used)


def version(connection: Any) -> str:  # noqa: ANN401 - sqlalchemy is only in the image
    """Return the server's version."""
    return ".".join(map(str, connection.dialect.server_version_info))


def check_rights(connection: Any) -> None:  # noqa: ANN401 - sqlalchemy is only in the image
    """Make sure that the server is new enough, and that MLflow may create its tables."""
    from sqlalchemy import text

    if connection.dialect.name == "sqlite":
        # SQLite opens any file; only a query reads it.
        connection.execute(text("PRAGMA schema_version"))
        return
    check_version(connection)
    may = "SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')"
    if not connection.execute(text(may)).scalar():
        raise BrokenLink("pg_rights", "CREATE on the schema is not granted")


def check_version(connection: Any) -> None:  # noqa: ANN401 - sqlalchemy is only in the image
    """Make sure that a PostgreSQL server is new enough."""
    if connection.dialect.server_version_info[0] < OLDEST_POSTGRES:
        found = version(connection)
        raise BrokenLink("pg_old", f"it is {found}, but must be {OLDEST_POSTGRES} or newer")


def prefixes(request: Request) -> list[str]:
    """Return the artifact key prefixes of the runs in this verification's experiment."""
    from sqlalchemy import text

    name = request.get("name")
    if not name:
        return []
    with connect(request) as connection:
        found = connection.execute(text(RUNS), {"name": name})
        top = request["prefix"]
        return [f"{top}{experiment}/{run}/artifacts/" for experiment, run in found]


def clean(request: Request) -> None:
    """Delete the model and the experiment with its run, by the name of this verification."""
    from sqlalchemy import inspect, text

    name = request.get("name")
    if not name:
        return
    with connect(request) as connection:
        inspector = inspect(connection)
        known = references(inspector)
        found = connection.execute(text(NUMBER), {"name": name}).scalars()
        resources = {"registered_model": [name], "experiment": [str(number) for number in found]}
        for table in ("registered_models", "experiments"):
            delete(connection, known, Rows(table, ["name"], "(SELECT :value)"), name)
        if not inspector.has_table("role_permissions"):
            return
        # If login is on, MLflow stores the owner's permissions, without a foreign key.
        for kind, values in resources.items():
            for value in values:
                connection.execute(text(GRANTS), {"kind": kind, "value": value})


def references(inspector: Any) -> References:  # noqa: ANN401 - sqlalchemy is only in the image
    """Return the foreign keys that refer to each table."""
    found: References = defaultdict(list)
    for (_, child), keys in inspector.get_multi_foreign_keys().items():
        for key in keys:
            columns, referred = key["constrained_columns"], key["referred_columns"]
            found[key["referred_table"]].append((child, columns, referred))
    return found


def delete(connection: Any, known: References, rows: Rows, value: object) -> None:  # noqa: ANN401
    """Delete rows, and rows that refer to them."""
    from sqlalchemy import text

    for child, columns, referred in known[rows.table]:
        if child != rows.table:
            # Names come from the database's catalogue.
            chosen = f"(SELECT {', '.join(referred)} FROM {rows.table} WHERE {rows.where})"  # noqa: S608
            delete(connection, known, Rows(child, columns, chosen), value)
    statement = f"DELETE FROM {rows.table} WHERE {rows.where}"  # noqa: S608 - see above
    connection.execute(text(statement), {"value": value})


@contextmanager
def connect(request: Request) -> Iterator[Any]:
    """Open the database as MLflow does, for one transaction."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DatabaseError, OperationalError
    from sqlalchemy.pool import NullPool

    uri = request["backend"]
    # Seconds to wait for the server, or for a lock on the file.
    options = {"timeout": 15} if uri.startswith("sqlite") else {"connect_timeout": 5}
    try:
        with create_engine(uri, connect_args=options, poolclass=NullPool).begin() as connection:
            yield connection
    except DatabaseError as error:
        message = " ".join(str(error.orig).split())
        # MESSAGES has messages of failed connections, which are operational errors.
        connected = not isinstance(error, OperationalError)
        raise BrokenLink(cause_of(uri, message, connected=connected), message) from error


def cause_of(uri: str, message: str, *, connected: bool) -> str:
    """Return the cause of a database error."""
    if uri.startswith("sqlite"):
        return "sqlite"
    causes = (cause for word, cause in MESSAGES.items() if word in message)
    return "pg_error" if connected else next(causes, "pg_down")
