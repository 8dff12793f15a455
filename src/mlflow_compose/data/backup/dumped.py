"""The dump of a PostgreSQL database in a snapshot: how it is made, and what is said about it."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from mlflow_compose.data.backup.contents import digest
from mlflow_compose.data.backup.manifest import Database
from mlflow_compose.data.backup.rows import RowCounter
from mlflow_compose.errors import SnapshotError

DUMP = "database.dump"
POSTGRES_KIND = "postgres"
# The schema with MLflow's tables, quoted if it has to be, and the server's version.
SERVER = "SELECT quote_ident(current_schema()), current_setting('server_version')"
TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p')
"""
# Of gzip; more would take several times as long and save a tenth.
COMPRESSION = "1"
# For a table that a migration has locked; otherwise, pg_dump would wait without an end.
LOCK_WAIT = "10min"


def dump_options(namespace: str, tables: Iterable[str]) -> list[str]:
    """Return the options of pg_dump for some tables, of which there must be at least one."""
    return [
        *("--format=custom", f"--compress={COMPRESSION}", "--no-owner", "--no-acl"),
        # Otherwise, it leaves out tables that a migration has deleted since they were chosen.
        *("--strict-names", f"--lock-wait-timeout={LOCK_WAIT}"),
        *(f"--table={qualified(namespace, table)}" for table in tables),
    ]


def qualified(namespace: str, name: str) -> str:
    """Return a table's name in SQL; the name of its schema is quoted already."""
    quoted = name.replace('"', '""')
    return f'{namespace}."{quoted}"'


def described(file: Path, counter: RowCounter, namespace: str, version: str) -> Database:
    """Return what a manifest says about a dump.

    Args:
        file: The dump.
        counter: What was counted in it.
        namespace: The schema with MLflow's tables.
        version: Version of the server.
    """
    return Database(
        kind=POSTGRES_KIND,
        file=file.name,
        bytes=file.stat().st_size,
        sha256=digest(file),
        server=version,
        namespace=namespace,
        schema=counter.schema,
        rows=dict(sorted(counter.rows.items())),
    )


def check_dumped(database: Database, tables: Collection[str], revisions: Mapping[str, str]) -> None:
    """Make sure that a dump has the tables that were chosen for it, as they were then.

    Args:
        database: What is said about the dump.
        tables: The tables that were chosen.
        revisions: Alembic's revision at that time, by the table that has it.

    Raises:
        SnapshotError: A migration has changed them, or the dump is incomplete.
    """
    what = "the dump differs from what was found in the database before"
    hint = "take another snapshot when no migration is running"
    if differing := sorted({*database.rows} ^ {*tables}):
        raise SnapshotError(f"{what}: only one of them has {', '.join(differing)}", hint=hint)
    if database.schema != revisions:
        before, after = (
            ", ".join(f"{name} at {revision}" for name, revision in sorted(found.items()))
            for found in (revisions, database.schema)
        )
        raise SnapshotError(
            f"{what}, which a migration has changed: {before}, now {after}", hint=hint
        )
