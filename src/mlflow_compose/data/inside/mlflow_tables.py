"""Which tables are MLflow's, in a database that other applications may share."""

import re
from collections.abc import Collection

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


def created_by(script: str) -> frozenset[str]:
    """Return the tables that SQL statements create, and the one with the schema's revision."""
    return frozenset({*CREATE.findall(script), SCHEMA_TABLE})


def mlflows(
    found: Collection[str], known: Collection[str], asked: Collection[str] | None = None
) -> list[str]:
    """Return the tables among some that are MLflow's, sorted.

    Args:
        found: Names of tables.
        known: Tables of MLflow without its login.
        asked: What MLflow itself says that its tables are; None if it was not asked.
    """
    if SCHEMA_TABLE not in found:
        return []
    own, login = {*known}, LOGIN if LOGIN_SCHEMA_TABLE in found else frozenset()
    if asked is not None:
        # Older versions have fewer: a table with the name of a newer one's is not MLflow's.
        own |= ({*found} & {*asked}) - LOGIN
        login &= {*asked, LOGIN_SCHEMA_TABLE}
    return sorted((own | login) & {*found})
