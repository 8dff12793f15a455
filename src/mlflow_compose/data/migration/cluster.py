"""Move the data of a stack to the same stack on another engine: as a dump, and object by object."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow_compose.clients import Objects
from mlflow_compose.data.backup import client, dump, load_dumped
from mlflow_compose.data.backup.dump import all_tables_of, namespace_of, tables_of
from mlflow_compose.data.migration.buckets import copy
from mlflow_compose.engines import Engine
from mlflow_compose.errors import StoreError
from mlflow_compose.payloads import CopiedObjects
from mlflow_compose.result import Progress

# What users create, by the column that tells two apart. MLflow creates one experiment itself.
OWN = {"runs": "run_uuid", "experiments": "name", "registered_models": "name"}
DATABASES = """
SELECT datname FROM pg_database
WHERE NOT datistemplate AND datname NOT IN ('postgres', current_database())
"""
ELSEWHERE = "set another KUBE_NAMESPACE in .env, or delete the stack in the cluster with its data"


def send_runs(
    source: Engine, target: Engine, folder: Path, progress: Progress
) -> Mapping[str, int]:
    """Replace the tables of a database by those of another, and compare their rows.

    Args:
        source: Engine of the stack with the data.
        target: Engine of the stack that gets it; nothing uses its database.
        folder: Empty folder that only this user can read, for the dump.
        progress: Receiver of progress.

    Returns:
        The number of rows by table.

    Raises:
        StoreError: The target has data that the source has not.
        SnapshotError: A database cannot be read or written, or the rows differ afterwards.
    """
    _check_only_copies(source, target)
    dumped = dump(source, folder, progress)
    load_dumped(target, folder, dumped)
    return dumped.rows


def check_unchanged(source: Engine, rows: Mapping[str, int]) -> None:
    """Make sure that nothing was stored in a database since it was copied.

    Raises:
        StoreError: Another client of the database has stored something.
    """
    namespace, _ = namespace_of(source)
    now = client.row_counts(source, namespace, rows)
    if changed := sorted(name for name, count in rows.items() if now[name] != count):
        raise StoreError(
            f"the table {changed[0]} changed while data was copied: another client uses the "
            "database",
            hint="end that client, then run the same command again",
        )


def send_objects(source: Engine, target: Engine, progress: Progress) -> CopiedObjects:
    """Copy every object of a bucket, and compare each by its key, size and SHA-256.

    Raises:
        ObjectsError: One of the servers refused a request, or did not answer.
        StoreError: The target has different objects under the same keys, or the buckets differ.
    """
    return copy(
        Objects.of(source.stack), Objects.of(target.stack), progress, own=True, hint=ELSEWHERE
    )


def not_moved(source: Engine) -> Sequence[str]:
    """Return what is in the bundled database besides MLflow's tables, worded for users."""
    tables = {*all_tables_of(source)} - {*tables_of(source)}
    databases = client.query(source, DATABASES)
    return (
        *(f"the table {name}" for name in sorted(tables)),
        *(f"the database {name}" for name in sorted(databases)),
    )


def _check_only_copies(source: Engine, target: Engine) -> None:
    """Make sure that nothing in the target is lost: an interrupted copy may be there."""
    existing = {*tables_of(target)}
    for table, column in OWN.items():
        if table not in existing:
            continue
        query = f"SELECT {column} FROM {table}"  # noqa: S608 - constants
        if others := {*client.query(target, query)} - {*client.query(source, query)}:
            raise StoreError(
                f"the database in the cluster has {len(others)} {table.replace('_', ' ')} that "
                f"this stack has not, such as {min(others)}",
                hint=ELSEWHERE,
            )
