"""What else is in the bundled PostgreSQL server: a dump of MLflow's tables leaves it out."""

from mlflow_compose.data.backup.client import query
from mlflow_compose.data.backup.dump import namespace_of, tables_of
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UpgradeError

PUBLIC = "public"
DATABASES = """
SELECT 'database ' || datname FROM pg_database
WHERE NOT datistemplate AND datname NOT IN ('postgres', current_database()) ORDER BY 1
"""
RELATIONS = """
SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT LIKE 'pg\\_%'
AND nspname <> 'information_schema' ORDER BY 1, 2
"""


def check_only_mlflow(engine: Engine) -> None:
    """Make sure that the server of a running stack holds nothing but MLflow's tables.

    Raises:
        UpgradeError: It holds more, which would be lost.
    """
    namespace, _ = namespace_of(engine)
    own = {*tables_of(engine)} if namespace == PUBLIC else set()
    found = (row.partition("|") for row in query(engine, RELATIONS))
    others = [
        f"table {schema}.{name}" for schema, _, name in found if schema != PUBLIC or name not in own
    ]
    if others := [*query(engine, DATABASES), *others]:
        raise UpgradeError(
            f"PostgreSQL also holds what is not MLflow's and would not be moved: {others[0]}"
            f"{f' and {len(others) - 1} more' if others[1:] else ''}",
            hint="save it with pg_dump, drop it, upgrade, and load it again",
        )
