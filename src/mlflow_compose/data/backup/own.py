"""The tables of MLflow in a database that other applications may share."""

import re
from collections.abc import Collection

from mlflow_compose.data.inside import own_tables
from mlflow_compose.engines import Engine, run_modules
from mlflow_compose.paths import sources

SCHEMA = "compose/mlflow", "schema/postgresql.sql"
CREATE = re.compile(r"^CREATE TABLE (?:public\.)?(\w+)", re.MULTILINE)
# Of MLflow's login, and Alembic's, which the schema file of a stack without login does not create.
MORE = frozenset(
    {
        "alembic_version",
        "alembic_version_auth",
        "role_permissions",
        "roles",
        "user_role_assignments",
        "users",
    }
)


def own(engine: Engine, found: Collection[str]) -> list[str]:
    """Return the tables among some that are MLflow's, sorted.

    Args:
        engine: Engine of the stack, whose MLflow is asked about tables that this tool does not
            know: it may be of another version.
        found: Names of tables.
    """
    folder, name = SCHEMA
    known = {*CREATE.findall(sources(folder)[name]), *MORE}
    if unknown := {*found} - known:
        known |= unknown & {*run_modules(engine, (own_tables,), {}, list[str])}
    return sorted(known & {*found})
