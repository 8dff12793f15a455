"""Copy one database into another, and compare the two row by row."""

import hashlib
import json
import sys
from typing import Any

from mlflow_compose.data.inside import tables

DIGEST_BYTES = 16
DIGESTS = 2 ** (8 * DIGEST_BYTES)


def main(argument: str) -> None:
    """Copy as the JSON argument says; tell which table is copied, and in the end what there is."""
    request = json.loads(argument)
    try:
        rows = copy(request["source"], request["target"])
    except tables.CopyError as error:
        say(json.dumps({"error": str(error)}))
        sys.exit(1)
    say(json.dumps({"rows": rows}))


def say(line: str) -> None:
    """Tell whoever started this, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def copy(source: str, target: str) -> dict[str, int]:
    """Copy every row, compare, and return the number of rows by table."""
    rows = tables.copy_all(source, target, say)
    if differ := differing(source, target):
        raise tables.CopyError(f"after copying, {', '.join(differ)} are not the same")
    return rows


def differing(source_uri: str, target_uri: str) -> list[str]:
    """Return the tables whose rows are not the same in both databases."""
    source, target = tables.open_database(source_uri), tables.open_database(target_uri)
    ours = tables.reflected(target)
    with source.connect() as there, target.connect() as here:
        return [
            table.name
            for table in ours.sorted_tables
            if table.name not in tables.SCHEMA_TABLES
            # Read by one table's types, so that a value is the same object from both.
            and digest(there, table) != digest(here, table)
        ]


def digest(connection: Any, table: Any) -> tuple[int, int]:
    """Return the number of rows, and a sum over them that does not depend on their order."""
    count = total = 0
    for row in tables.rows(connection, table):
        text = json.dumps(row, default=repr, sort_keys=True).encode()
        total += int.from_bytes(hashlib.sha256(text).digest()[:DIGEST_BYTES], "big")
        count += 1
    return count, total % DIGESTS
