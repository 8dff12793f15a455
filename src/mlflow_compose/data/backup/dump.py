"""Read the database of a running stack into a file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mlflow_compose.data.backup import client
from mlflow_compose.data.backup.contents import digest
from mlflow_compose.data.backup.dumped import DUMP, SERVER, TABLES, described
from mlflow_compose.data.backup.manifest import Database
from mlflow_compose.data.backup.own import own
from mlflow_compose.data.backup.rows import SCHEMA_PREFIX
from mlflow_compose.data.inside import send_sqlite
from mlflow_compose.engines import Engine, RemoteError, run_raw
from mlflow_compose.engines.base import Output
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import Progress

SQLITE = "database.sqlite"
SQLITE_KIND = "sqlite"


def dump(engine: Engine, folder: Path, progress: Progress) -> Database:
    """Write the database into a snapshot's folder while MLflow uses it.

    Raises:
        SnapshotError: It cannot be read.
    """
    write = _dump_postgres if engine.stack.stores.uses_postgres else _copy_sqlite
    return write(engine, folder, progress)


def namespace_of(engine: Engine) -> tuple[str, str]:
    """Return the schema with MLflow's tables, quoted if it has to be, and the server's version."""
    name, _, version = client.query(engine, SERVER)[0].partition("|")
    return name, version.split()[0]


def schema_of(engine: Engine) -> dict[str, str]:
    """Return the revisions of the tables in the stack's database, which is in PostgreSQL."""
    names = [name for name in tables_of(engine) if name.startswith(SCHEMA_PREFIX)]
    found = {name: client.query(engine, f"SELECT version_num FROM {name}") for name in names}  # noqa: S608
    return {name: rows[0] for name, rows in found.items() if rows}


def tables_of(engine: Engine) -> list[str]:
    """Return MLflow's tables in the stack's database."""
    return own(engine, all_tables_of(engine))


def all_tables_of(engine: Engine) -> list[str]:
    """Return all tables in the schema of the stack's database."""
    return client.query(engine, TABLES)


def _dump_postgres(engine: Engine, folder: Path, progress: Progress) -> Database:
    namespace, server = namespace_of(engine)
    file = folder / DUMP
    with file.open("wb") as dumped:
        report = _reported(dumped.write, progress)
        if not (tables := tables_of(engine)):
            # Without a table, pg_dump would dump whatever else is there.
            raise SnapshotError(
                "the database has no tables of MLflow", hint="mlflow-compose up creates them"
            )
        client.dump_tables(engine, namespace, tables, report)
    return described(file, client.count_rows(engine, file), namespace, server)


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
        kind=SQLITE_KIND,
        file=SQLITE,
        bytes=file.stat().st_size,
        sha256=digest(file),
        server=sqlite3.sqlite_version,
        namespace="",
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


def _reported(write: Callable[[bytes], object], progress: Progress) -> Output:
    """Return a function that writes chunks and reports how much was written."""
    written = 0

    def report(chunk: bytes) -> None:
        nonlocal written
        write(chunk)
        written += len(chunk)
        progress.detail(f"{written / 1e6:.0f} MB")

    return report
