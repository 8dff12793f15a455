"""Which tables are MLflow's, in a database that other applications may share."""

import re
from collections.abc import Callable, Collection

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


def mlflows(
    found: Collection[str], script: str, ask: Callable[[], Collection[str]], *, is_current: bool
) -> list[str]:
    """Return the tables among some that are MLflow's, sorted.

    Args:
        found: Names of tables.
        script: SQL statements that create the tables of a version of MLflow.
        ask: Returns what MLflow itself says that its tables are. That takes seconds.
        is_current: Whether the statements are those of the version that is asked.
    """
    if SCHEMA_TABLE not in found:
        return []
    own = {*CREATE.findall(script), SCHEMA_TABLE}
    login = LOGIN if LOGIN_SCHEMA_TABLE in found else frozenset()
    if not is_current or {*found} - own - LOGIN:
        # Older versions have fewer: a table with the name of a newer one's is not MLflow's.
        asked = {*ask()}
        own |= ({*found} & asked) - LOGIN
        login &= {*asked, LOGIN_SCHEMA_TABLE}
    return sorted((own | login) & {*found})
