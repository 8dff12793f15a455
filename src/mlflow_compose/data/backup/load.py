"""Put a snapshot into a stack whose MLflow does not run."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from mlflow_compose.data.backup import client
from mlflow_compose.data.backup.dump import namespace_of, tables_of
from mlflow_compose.data.backup.dumped import POSTGRES_KIND
from mlflow_compose.data.backup.manifest import Database
from mlflow_compose.data.backup.rows import SCHEMA_PREFIX
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.data.inside import (
    admin,
    remove_database,
    replace_database,
    tables,
    upgrade_schema,
)
from mlflow_compose.engines import Engine, RemoteError, input_to, run_modules
from mlflow_compose.errors import SnapshotError

REPLACING = (tables, replace_database)
HINT = "mlflow-compose logs mlflow shows more"
T = TypeVar("T")


def load_database(engine: Engine, snapshot: Snapshot, schema: Mapping[str, str]) -> None:
    """Replace the stack's database by that of a snapshot, in one transaction.

    Args:
        engine: Engine of the stack, whose MLflow does not run.
        snapshot: Snapshot to load.
        schema: Revisions of the tables that the stack's MLflow expects.

    Raises:
        NotLoadedError: It cannot be loaded, and nothing has changed.
        SnapshotError: It cannot be loaded, or its rows are not those of the snapshot afterwards.
    """
    database = snapshot.manifest.database
    if database.kind == POSTGRES_KIND:
        load_dumped(engine, snapshot.folder, database)
    else:
        _compare(database, _replaced(engine, snapshot))
    if database.schema != schema:
        _upgrade(engine, database)


def load_dumped(engine: Engine, folder: Path, database: Database) -> None:
    """Replace the tables of a stack's PostgreSQL by those of a dump, and compare their rows.

    Args:
        engine: Engine of the stack, whose MLflow does not run.
        folder: Folder of the dump.
        database: Description of the dump.

    Raises:
        NotLoadedError: It cannot be loaded, and nothing has changed.
        SnapshotError: It cannot be loaded, or its rows are others afterwards.
    """
    namespace, _ = namespace_of(engine)
    client.load_dump(engine, folder / database.file, namespace, tables_of(engine))
    _compare(database, client.row_counts(engine, namespace, database.rows))


def admit_admin(engine: Engine) -> bool:
    """Let the admin of the settings log in; return whether the snapshot had another password.

    Raises:
        SnapshotError: The database cannot be changed.
    """
    return _run(engine, (tables, admin), bool)


def empty_database(engine: Engine) -> None:
    """Delete MLflow's tables, which it creates again when it starts.

    Raises:
        SnapshotError: They cannot be deleted.
    """
    if engine.stack.stores.uses_postgres:
        namespace, _ = namespace_of(engine)
        client.drop_tables(engine, namespace, tables_of(engine))
        return
    _run(engine, (remove_database,), type(None))


def _replaced(engine: Engine, snapshot: Snapshot) -> dict[str, int]:
    """Send the SQLite file to where the database is; return the number of rows by table."""
    request = {"backend": engine.stack.stores.backend_uri}
    found: list[dict[str, int]] = []
    try:
        with (
            input_to(engine, REPLACING, request, dict[str, int], on_result=found.append) as target,
            (snapshot.folder / snapshot.manifest.database.file).open("rb") as file,
        ):
            shutil.copyfileobj(file, target)
    except RemoteError as error:
        raise _failed(error) from None
    return found[0]


def _compare(database: Database, found: dict[str, int]) -> None:
    """Compare the number of rows of every table with the manifest."""
    # An upgrade on the way changes the revision.
    wanted = {name: n for name, n in database.rows.items() if not name.startswith(SCHEMA_PREFIX)}
    if differ := [name for name, number in wanted.items() if found.get(name) != number]:
        name = differ[0]
        raise SnapshotError(
            f"the table {name} has {found.get(name, 0)} rows after restoring, not {wanted[name]}"
        )


def _upgrade(engine: Engine, database: Database) -> None:
    """Bring the schema up to date: the snapshot may be of an older MLflow version."""
    login = f"{SCHEMA_PREFIX}_auth" in database.schema
    _run(engine, (tables, upgrade_schema), type(None), login=login)


def _run(engine: Engine, modules: Sequence[ModuleType], shape: type[T], **more: object) -> T:
    """Call `main` of the last module inside MLflow's service, with the URI of the database."""
    request = {"backend": engine.stack.stores.backend_uri, **more}
    try:
        return run_modules(engine, modules, request, shape)
    except RemoteError as error:
        raise _failed(error) from None


def _failed(error: RemoteError) -> SnapshotError:
    return SnapshotError(f"the database cannot be restored: {error}", hint=HINT)
