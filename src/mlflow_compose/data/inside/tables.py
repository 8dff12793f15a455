"""Copy rows from one database to another, table by table, in the order of their foreign keys."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from mlflow_compose.engines.inside.answer import Failure
from mlflow_compose.engines.inside.schema import has_current_tables

CHUNK_ROWS = 1000
# Schema versions, which Alembic writes into each database.
SCHEMA_TABLES = ("alembic_version", "alembic_version_auth")
LOGIN_TABLE = "users"
# Tables that have rows as soon as they are created.
PREFILLED = (*SCHEMA_TABLES, "workspaces")
# Seconds to wait for a locked SQLite file.
BUSY_TIMEOUT = 60

# The last line of a traceback, unless its message has several.
ERROR = re.compile(r"[\w.]+(Error|Exception): ")

T = TypeVar("T")
Row = dict[str, Any]
OnProgress = Callable[[str], None]


class CopyError(Failure):
    """The database cannot be copied or upgraded; the message says why."""


class NotEmptyError(CopyError):
    """The database to copy to is not empty."""

    def __init__(self, message: str) -> None:
        super().__init__(message, not_empty=True)


@contextmanager
def database_errors() -> Iterator[None]:
    """Report database errors without SQLAlchemy's copy of the rows."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        raise Failure(f"database error: {' '.join(str(error.orig).split())}") from error


def open_database(uri: str) -> Any:
    """Return an SQLAlchemy engine that holds no connections."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if uri.startswith("sqlite"):
        return create_engine(uri, connect_args={"timeout": BUSY_TIMEOUT}, poolclass=NullPool)
    # Otherwise psycopg2 sends each row separately if conflicts are possible.
    return create_engine(uri, executemany_mode="values_plus_batch", poolclass=NullPool)


def reflected(engine: Any) -> Any:
    """Return the schema of a database by reflection."""
    from sqlalchemy import JSON, MetaData

    metadata = MetaData()
    metadata.reflect(engine)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                # Otherwise a missing value would become the JSON text null.
                column.type.none_as_null = True
    return metadata


def has_login(uri: str) -> bool:
    """Tell whether a database has the tables of MLflow's login."""
    from sqlalchemy import inspect

    return bool(inspect(open_database(uri)).has_table(LOGIN_TABLE))


def upgrade(uri: str, *, login: bool = False) -> None:
    """Create MLflow's tables in a database, or upgrade older ones.

    Raises:
        CopyError: MLflow failed.
    """
    commands = [] if has_current_tables(open_database(uri)) else [["mlflow", "db", "upgrade", uri]]
    if login:
        commands.append(["mlflow.server.auth", "db", "upgrade", "--url", uri])
    for command in commands:
        done = subprocess.run(  # noqa: S603 - the URI has no password, and nothing is interpreted
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CopyError(f"mlflow db upgrade failed: {reason(done.stderr or done.stdout)}")


def reason(output: str) -> str:
    """Return the line of a failed command that says why: SQLAlchemy's is followed by the SQL."""
    lines = output.strip().splitlines() or ["no output"]
    return next((line for line in reversed(lines) if ERROR.match(line)), lines[-1])


def copy_all(
    source_uri: str, target_uri: str, on_progress: OnProgress, *, replace: bool = False
) -> dict[str, int]:
    """Copy every row to an empty database; return the number of rows by table.

    Missing tables are created. All rows are copied in one transaction.

    Args:
        source_uri: Database to copy from; it must have this MLflow version's schema.
        target_uri: Database to copy to.
        on_progress: Receiver of the name of each table.
        replace: Whether its rows are replaced, if it is not empty.

    Raises:
        CopyError: The schemas differ.
        NotEmptyError: The target is not empty; it is unchanged.
    """
    source, target = open_database(source_uri), open_database(target_uri)
    source_schema = reflected(source)
    if not replace:
        check_empty(target, set(source_schema.tables))
    upgrade(target_uri, login=LOGIN_TABLE in source_schema.tables)
    target_schema = reflected(target)
    with source.connect() as reading, target.begin() as writing:
        _check_schemas(reading, writing, source_schema, target_schema)
        tables = [table for table in target_schema.sorted_tables if table.name not in SCHEMA_TABLES]
        for table in reversed([each for each in tables if replace or each.name in PREFILLED]):
            writing.execute(table.delete())
        copied = {}
        for table in tables:
            on_progress(table.name)
            source_table = source_schema.tables[table.name]
            copied[table.name] = _copy_table(reading, writing, source_table, table)
        set_sequences(writing, tables)
    return copied


def check_empty(engine: Any, known: set[str]) -> None:
    """Make sure that a database has no rows, and no tables but those of `known`."""
    tables = reflected(engine).tables
    unknown = sorted(set(tables) - known)
    with engine.connect() as reading:
        filled = [
            name
            for name in sorted(known & set(tables))
            if name not in PREFILLED and count(reading, tables[name])
        ]
    if unknown or filled:
        raise NotEmptyError(
            f"the target database is not empty: it has the table {(filled or unknown)[0]}"
        )


def _check_schemas(reading: Any, writing: Any, source_schema: Any, target_schema: Any) -> None:
    """Make sure that both databases have the same schema."""
    if missing := set(source_schema.tables) ^ set(target_schema.tables):
        raise CopyError(f"only one of the databases has the tables {', '.join(sorted(missing))}")
    for name in SCHEMA_TABLES:
        found = [list(rows(database, metadata.tables[name]))
                 for database, metadata in ((reading, source_schema), (writing, target_schema))
                 if name in metadata.tables]  # fmt: skip
        if found and found[0] != found[1]:
            raise CopyError(f"the databases have different schemas: {name} is {found}")


def _copy_table(reading: Any, writing: Any, source: Any, target: Any) -> int:
    copied = 0
    for chunk in chunks(rows(reading, source)):
        writing.execute(target.insert(), without_computed(target, chunk))
        copied += len(chunk)
    return copied


def rows(connection: Any, table: Any, *conditions: Any) -> Iterator[Row]:
    """Yield the rows of a table that meet all conditions, as they are read."""
    query = table.select().where(*conditions).execution_options(yield_per=CHUNK_ROWS)
    return (dict(row) for row in connection.execute(query).mappings())


def with_experiment(tables: Any, table: Any) -> Any:
    """Return the condition that a row's experiment exists; a folder has no foreign keys."""
    experiments = tables["experiments"]
    ids = experiments.select().with_only_columns(experiments.c.experiment_id)
    return table.c.experiment_id.in_(ids)


def count(connection: Any, table: Any) -> int:
    """Return the number of rows of a table."""
    from sqlalchemy import func, select

    return int(connection.execute(select(func.count()).select_from(table)).scalar())


def insert_missing(connection: Any, table: Any, new: Sequence[Row]) -> None:
    """Insert rows, except those that were inserted concurrently."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = {"postgresql": postgresql, "sqlite": sqlite}[connection.dialect.name]
    for chunk in chunks(new):
        insert = dialect.insert(table).on_conflict_do_nothing()
        connection.execute(insert, without_computed(table, chunk))


def without_computed(table: Any, new: Iterable[Row]) -> list[Row]:
    """Return rows without computed columns, which the database does not accept."""
    computed = {column.name for column in table.columns if column.computed is not None}
    return [{name: value for name, value in row.items() if name not in computed} for row in new]


def set_sequences(connection: Any, tables: Iterable[Any]) -> None:
    """Set PostgreSQL's sequences to continue after the inserted ids."""
    from sqlalchemy import func, select, text

    if connection.dialect.name != "postgresql":
        return
    query = text("SELECT pg_get_serial_sequence(:table, :column)")
    for table in tables:
        column = table.autoincrement_column
        if column is None:
            continue
        quoted = connection.dialect.identifier_preparer.format_table(table)
        sequence = connection.execute(query, {"table": quoted, "column": column.name}).scalar()
        highest = connection.execute(select(func.max(column))).scalar()
        if sequence and highest is not None:
            # setval does not accept 0, an id that MLflow assigns without the sequence.
            connection.execute(select(func.setval(sequence, max(highest, 1))))


def chunks(items: Iterable[T], size: int = CHUNK_ROWS) -> Iterator[list[T]]:
    """Yield lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
