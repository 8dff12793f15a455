"""Copy one database into another, and compare the two row by row."""

import hashlib
import json
from typing import Any

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Failure, Request, progress

DIGEST_BYTES = 16
DIGESTS = 2 ** (8 * DIGEST_BYTES)


def main(request: Request) -> dict[str, dict[str, int]]:
    """Copy the source to the target; return the number of rows by table."""
    try:
        with tables.database_errors():
            return {"rows": copy(request["source"], request["target"])}
    except ValueError as error:
        raise Failure(str(error)) from error


def copy(source: str, target: str) -> dict[str, int]:
    """Copy every row, compare, and return the number of rows by table."""
    try:
        rows = tables.copy_all(source, target, progress)
    except tables.NotEmptyError:
        # Fine if it is an earlier copy after which the stack did not start.
        if not same_tables(source, target) or differing(source, target):
            raise
        return counts(target)
    if differ := differing(source, target):
        raise tables.CopyError(f"after copying, {', '.join(differ)} differ")
    return rows


def same_tables(source_uri: str, target_uri: str) -> bool:
    """Tell whether two databases have the same tables and columns."""
    source, target = (
        {name: set(table.columns.keys()) for name, table in metadata.tables.items()}
        for metadata in (
            tables.reflected(tables.open_database(uri)) for uri in (source_uri, target_uri)
        )
    )
    return source == target


def counts(uri: str) -> dict[str, int]:
    """Return the number of rows by table."""
    engine = tables.open_database(uri)
    found = tables.reflected(engine).tables
    with engine.connect() as reading:
        return {
            name: tables.count(reading, table)
            for name, table in found.items()
            if name not in tables.SCHEMA_TABLES
        }


def differing(source_uri: str, target_uri: str) -> list[str]:
    """Return the tables whose rows differ."""
    source, target = tables.open_database(source_uri), tables.open_database(target_uri)
    schema = tables.reflected(target)
    with source.connect() as reading, target.connect() as writing:
        return [
            table.name
            for table in schema.sorted_tables
            if table.name not in tables.SCHEMA_TABLES
            # Both sides are read with the same column types, which make equal values compare equal.
            and digest(reading, table) != digest(writing, table)
        ]


def digest(connection: Any, table: Any) -> tuple[int, int]:
    """Return the number of rows and a digest that does not depend on their order."""
    count = total = 0
    for row in tables.rows(connection, table):
        text = json.dumps(row, default=repr, sort_keys=True).encode()
        total += int.from_bytes(hashlib.sha256(text).digest()[:DIGEST_BYTES], "big")
        count += 1
    return count, total % DIGESTS
