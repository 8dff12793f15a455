"""Upgrade MLflow's tables, and see that nothing in them was lost."""

from mlflow_compose.data.backup import Snapshot
from mlflow_compose.data.backup.dump import tables_of
from mlflow_compose.data.inside import count_rows, tables, upgrade_schema
from mlflow_compose.engines import Engine, RemoteError, run_modules
from mlflow_compose.errors import UpgradeError

# Tables whose rows are the user's. MLflow's migrations fill some of the others.
COMPARED = (
    "experiments",
    "runs",
    "params",
    "metrics",
    "tags",
    "registered_models",
    "model_versions",
    "users",
)


def upgrade_tables(engine: Engine, saved: Snapshot) -> None:
    """Run `mlflow db upgrade` with the MLflow version of a stack whose MLflow is idle.

    Args:
        engine: Engine of the stack.
        saved: Snapshot of the database as it is.

    Raises:
        UpgradeError: MLflow failed, or rows are missing afterwards.
    """
    rows = saved.manifest.database.rows
    wanted = {name: rows[name] for name in COMPARED if name in rows}
    create_tables(engine, saved)
    request = {"backend": engine.stack.stores.backend_uri, "tables": [*wanted]}
    try:
        found = run_modules(engine, (tables, count_rows), request, dict[str, int])
    except RemoteError as error:
        raise UpgradeError(f"the database cannot be read after the upgrade: {error}") from None
    for name, number in wanted.items():
        if found[name] != number:
            raise UpgradeError(
                f"the table {name} has {found[name]} rows after the upgrade, not {number}"
            )


def check_names(engine: Engine, saved: Snapshot) -> None:
    """Make sure that no other table has the name of one that the new MLflow creates.

    Going back would drop it: by its name, it is MLflow's. A SQLite file is replaced as a whole.

    Args:
        engine: Engine of the stack with its new MLflow.
        saved: Snapshot of the database as it is.

    Raises:
        UpgradeError: There is one.
    """
    if not engine.stack.stores.uses_postgres:
        return
    if found := sorted({*tables_of(engine)} - saved.manifest.database.rows.keys()):
        raise UpgradeError(
            f"the database has a table {found[0]}, which this version of MLflow has to create",
            hint="rename that table, then run the same command again",
        )


def create_tables(engine: Engine, saved: Snapshot) -> None:
    """Run `mlflow db upgrade`, which creates MLflow's tables in an empty database.

    A dump of tables has no functions, and a trigger of MLflow needs one: it must be there first.

    Raises:
        UpgradeError: MLflow failed.
    """
    login = "alembic_version_auth" in saved.manifest.database.schema
    request = {"backend": engine.stack.stores.backend_uri, "login": login}
    try:
        run_modules(engine, (tables, upgrade_schema), request, type(None))
    except RemoteError as error:
        raise UpgradeError(f"the database cannot be upgraded: {error}") from None
