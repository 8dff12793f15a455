"""The tables of MLflow in a database that other applications may share."""

from collections.abc import Collection

from mlflow_compose.data.inside import own_tables
from mlflow_compose.data.inside.mlflow_tables import LOGIN, SCHEMA_TABLE, created_by, mlflows
from mlflow_compose.engines import Engine, run_modules
from mlflow_compose.paths import sources

SCHEMA = "compose/mlflow", "schema/postgresql.sql"


def own(engine: Engine, found: Collection[str]) -> list[str]:
    """Return the tables among some that are MLflow's, sorted.

    Args:
        engine: Engine of the stack, whose MLflow is asked about tables that this tool does not
            know: it may be of another version.
        found: Names of tables.
    """
    if SCHEMA_TABLE not in found:
        return []
    folder, name = SCHEMA
    schema = sources(folder)[name]
    known = created_by(schema)
    is_known = f"-- MLflow {engine.stack.mlflow_version}" == schema.partition("\n")[0]
    if is_known and not {*found} - known - LOGIN:
        return mlflows(found, known)
    return mlflows(found, known, run_modules(engine, (own_tables,), {}, list[str]))
