"""The tables of MLflow in a database that other applications may share."""

import re
from collections.abc import Collection

from mlflow_compose.data.inside import own_tables
from mlflow_compose.engines import Engine, run_modules
from mlflow_compose.paths import sources

SCHEMA = "compose/mlflow", "schema/postgresql.sql"
CREATE = re.compile(r"^CREATE TABLE (?:public\.)?(\w+)", re.MULTILINE)
# Written by Alembic next to MLflow's tables, and next to those of its login.
SCHEMA_TABLE, LOGIN_SCHEMA_TABLE = "alembic_version", "alembic_version_auth"
# Some are names that another application may well have, too. MLflow leaves tables of its older
# versions, which refer to `users` (`mlflow/server/auth/db/migrations`).
LOGIN = frozenset(
    {
        LOGIN_SCHEMA_TABLE,
        "experiment_permissions",
        "gateway_endpoint_permissions",
        "gateway_model_definition_permissions",
        "gateway_secret_permissions",
        "registered_model_permissions",
        "role_permissions",
        "roles",
        "scorer_permissions",
        "user_role_assignments",
        "users",
        "workspace_permissions",
    }
)


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
    known = {*CREATE.findall(schema), SCHEMA_TABLE}
    login = LOGIN if LOGIN_SCHEMA_TABLE in found else frozenset()
    is_known = f"-- MLflow {engine.stack.mlflow_version}" == schema.partition("\n")[0]
    if not is_known or {*found} - known - LOGIN:
        # Older versions have fewer: a table with the name of a newer one's is not MLflow's.
        asked = {*run_modules(engine, (own_tables,), {}, list[str])}
        known |= ({*found} & asked) - LOGIN
        login &= {*asked, LOGIN_SCHEMA_TABLE}
    return sorted((known | login) & {*found})
