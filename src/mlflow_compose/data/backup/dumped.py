"""The dump of a PostgreSQL database in a snapshot: how it is made, and what is said about it."""

from collections.abc import Iterable
from pathlib import Path

from mlflow_compose.data.backup.contents import digest
from mlflow_compose.data.backup.manifest import Database
from mlflow_compose.data.backup.rows import RowCounter

DUMP = "database.dump"
POSTGRES_KIND = "postgres"
# The schema with MLflow's tables, quoted if it has to be, and the server's version.
SERVER = "SELECT quote_ident(current_schema()), current_setting('server_version')"
TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
"""
# Of gzip; more would take several times as long and save a tenth.
COMPRESSION = "1"


def dump_options(namespace: str, tables: Iterable[str]) -> list[str]:
    """Return the options of pg_dump for some tables, of which there must be at least one."""
    chosen = [f"--table={qualified(namespace, table)}" for table in tables]
    return ["--format=custom", f"--compress={COMPRESSION}", "--no-owner", "--no-acl", *chosen]


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
