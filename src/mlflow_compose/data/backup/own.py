"""The tables of MLflow in a database that other applications may share."""

from collections.abc import Collection

from mlflow_compose.data.inside import own_tables
from mlflow_compose.data.inside.mlflow_tables import mlflows
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
    folder, name = SCHEMA
    script = sources(folder)[name]
    is_current = f"-- MLflow {engine.stack.mlflow_version}" == script.partition("\n")[0]

    def ask() -> list[str]:
        return run_modules(engine, (own_tables,), {}, list[str])

    return mlflows(found, script, ask, is_current=is_current)
