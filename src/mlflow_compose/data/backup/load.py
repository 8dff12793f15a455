"""Put a snapshot into a stack whose MLflow does not run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_compose.data.backup import client
from mlflow_compose.data.backup.dump import POSTGRES_KIND, namespace_of, tables_of
from mlflow_compose.data.backup.manifest import Database
from mlflow_compose.data.backup.rows import SCHEMA_PREFIX
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.data.inside import remove_database, replace_database, tables, upgrade_schema
from mlflow_compose.engines import Engine, RemoteError, SharedFolder, run_modules
from mlflow_compose.engines.base import FOLDER_VARIABLE
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import Progress

HINT = "mlflow-compose logs mlflow shows more"


def load_database(engine: Engine, snapshot: Snapshot, known: Snapshot, progress: Progress) -> None:
    """Replace the stack's database by that of a snapshot, in one transaction.

    Args:
        engine: Engine of the stack, whose MLflow does not run.
        snapshot: Snapshot to load.
        known: A snapshot of this stack, whose schema is that of its MLflow.
        progress: Receiver of progress.

    Raises:
        SnapshotError: It cannot be loaded, or its rows are not those of the snapshot afterwards.
    """
    database = snapshot.manifest.database
    if database.kind == POSTGRES_KIND:
        namespace, _ = namespace_of(engine)
        dropped = {*tables_of(engine), *database.rows}
        client.load_dump(engine, snapshot.folder / database.file, namespace, dropped)
        _compare(database, client.row_counts(engine, namespace, database.rows))
    else:
        with _shared(snapshot.folder / database.file) as folder:
            loaded = _replaced(engine, database, folder, progress)
        _compare(database, loaded)
    if database.schema != known.manifest.database.schema:
        _upgrade(engine, database)


def empty_database(engine: Engine) -> None:
    """Delete MLflow's tables, which it creates again when it starts.

    Raises:
        SnapshotError: They cannot be deleted.
    """
    if engine.stack.stores.uses_postgres:
        namespace, _ = namespace_of(engine)
        client.drop_tables(engine, namespace, tables_of(engine))
        return
    request = {"backend": engine.stack.stores.backend_uri}
    try:
        run_modules(engine, (remove_database,), request, type(None))
    except RemoteError as error:
        raise _failed(error) from None


def _replaced(
    engine: Engine, database: Database, folder: SharedFolder, progress: Progress
) -> dict[str, int]:
    request = {
        "backend": engine.stack.stores.backend_uri,
        "file": database.file,
        "folder_variable": FOLDER_VARIABLE,
    }
    try:
        return run_modules(
            engine,
            (tables, replace_database),
            request,
            dict[str, int],
            folder=folder,
            on_progress=progress.detail,
        )
    except RemoteError as error:
        raise _failed(error) from None


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
    request = {
        "backend": engine.stack.stores.backend_uri,
        "login": f"{SCHEMA_PREFIX}_auth" in database.schema,
    }
    try:
        run_modules(engine, (tables, upgrade_schema), request, type(None))
    except RemoteError as error:
        raise _failed(error) from None


@contextmanager
def _shared(file: Path) -> Iterator[SharedFolder]:
    """Provide a folder with a copy of a file, which the service's user can read."""
    with tempfile.TemporaryDirectory(dir=file.parent.parent, prefix=".loading-") as name:
        folder = Path(name)
        shutil.copyfile(file, folder / file.name)
        (folder / file.name).chmod(0o644)
        folder.chmod(0o755)
        yield SharedFolder(Path(os.path.realpath(folder)))


def _failed(error: RemoteError) -> SnapshotError:
    return SnapshotError(f"the database cannot be restored: {error}", hint=HINT)
