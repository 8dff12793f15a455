"""Read the database of a running stack into a file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mlflow_compose.data.backup.contents import digest
from mlflow_compose.data.backup.manifest import Database
from mlflow_compose.data.backup.rows import SCHEMA_PREFIX, RowCounter
from mlflow_compose.data.inside import send_sqlite
from mlflow_compose.engines import Engine, Outcome, RemoteError, run_raw
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import Progress
from mlflow_compose.stack import POSTGRES_CLIENT

DUMP, SQLITE = "database.dump", "database.sqlite"
# The login of PG_USER in the client's service file.
LOGIN = "service=mlflow"
# Of gzip; more would take several times as long and save a tenth.
COMPRESSION = "1"
WHERE = "SELECT current_schema(), current_setting('server_version')"
CLIENT_TOO_OLD = "server version mismatch"


def dump(engine: Engine, folder: Path, progress: Progress) -> Database:
    """Write the database into a snapshot's folder while MLflow uses it.

    Raises:
        SnapshotError: It cannot be read.
    """
    write = _dump_postgres if engine.stack.stores.uses_postgres else _copy_sqlite
    return write(engine, folder, progress)


def _dump_postgres(engine: Engine, folder: Path, progress: Progress) -> Database:
    schema, _, server = _query(engine, WHERE).partition("|")
    file = folder / DUMP
    command = ("pg_dump", "--format=custom", f"--compress={COMPRESSION}", f"--schema={schema}")
    # Owners and grants belong to the server, not to the data.
    plain = ("--no-owner", "--no-acl")
    with file.open("wb") as dumped:
        report = _reported(dumped.write, progress)
        outcome = engine.run(POSTGRES_CLIENT, (*command, *plain, LOGIN), on_output=report)
    _check(engine, outcome)
    counter = count_rows(engine, file)
    return Database(
        kind="postgres",
        file=DUMP,
        bytes=file.stat().st_size,
        sha256=digest(file),
        server=server.split()[0],
        schema=counter.schema,
        rows=dict(sorted(counter.rows.items())),
    )


def count_rows(engine: Engine, file: Path) -> RowCounter:
    """Count the rows in a dump.

    Raises:
        SnapshotError: pg_restore cannot read it.
    """
    counter = RowCounter()
    with file.open("rb") as dumped:
        # Without --file=-, it would expect a database.
        command = ("pg_restore", "--data-only", "--file=-")
        outcome = engine.run(POSTGRES_CLIENT, command, stdin=dumped, on_output=counter.read)
    _check(engine, outcome)
    return counter


def _query(engine: Engine, query: str) -> str:
    """Return the first row of a query, with | between its columns."""
    outcome = engine.run(POSTGRES_CLIENT, ("psql", "-XAt", "-c", query, LOGIN))
    _check(engine, outcome)
    return outcome.stdout.decode().splitlines()[0]


def _check(engine: Engine, outcome: Outcome) -> None:
    if not outcome.exit_code:
        return
    hint = "mlflow-compose verify finds the cause"
    if CLIENT_TOO_OLD in outcome.stderr:
        hint = "set POSTGRES_IMAGE in .env to the major version of the database server, or newer"
    reason = engine.stack.mask(outcome.failure)
    raise SnapshotError(f"the database cannot be read: {reason}", hint=hint)


def _copy_sqlite(engine: Engine, folder: Path, progress: Progress) -> Database:
    file = folder / SQLITE
    request = {"backend": engine.stack.stores.backend_uri}
    try:
        with file.open("wb") as copied:
            run_raw(engine, (send_sqlite,), request, _reported(copied.write, progress))
    except RemoteError as error:
        raise SnapshotError(
            f"the database cannot be read: {error}", hint="mlflow-compose verify finds the cause"
        ) from None
    rows, schema = _look(file)
    return Database(
        kind="sqlite",
        file=SQLITE,
        bytes=file.stat().st_size,
        sha256=digest(file),
        server=sqlite3.sqlite_version,
        schema=schema,
        rows=rows,
    )


def _look(file: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Return the number of rows of each table, and the revisions of the schema."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        listed = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = sorted(name for (name,) in listed if not name.startswith("sqlite_"))

        def first(query: str) -> str:
            return str(database.execute(query).fetchone()[0])

        rows = {name: int(first(f'SELECT count(*) FROM "{name}"')) for name in names}  # noqa: S608
        versions = [name for name in names if name.startswith(SCHEMA_PREFIX) and rows[name]]
        return rows, {name: first(f'SELECT version_num FROM "{name}"') for name in versions}  # noqa: S608


def _reported(write: Callable[[bytes], object], progress: Progress) -> Callable[[bytes], None]:
    """Return a function that writes chunks and reports how much was written."""
    written = 0

    def report(chunk: bytes) -> None:
        nonlocal written
        write(chunk)
        written += len(chunk)
        progress.detail(f"{written / 1e6:.0f} MB")

    return report
