"""MLflow's tables from the server's prepared statements.

Starting MLflow for its migrations would take several seconds.
"""

import re
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# In the image, and in the folder of rendered files without Docker.
FOLDERS = (Path("/opt/entrypoint/schema"), Path("mlflow/schema"))
VERSION_QUERY = "SELECT version_num FROM alembic_version"
VERSION_WRITTEN = re.compile(r"\balembic_version\W+VALUES\W+(\w+)")


def has_current_tables(engine: Any) -> bool:
    """Tell whether a database has the tables of this MLflow; create them if it has none at all."""
    from sqlalchemy import inspect, text

    if not (script := prepared(engine.name)):
        return False
    names = inspect(engine).get_table_names()
    if not names:
        return _create(engine, script)
    if "alembic_version" not in names:
        return False
    with engine.connect() as reading:
        return [*reading.execute(text(VERSION_QUERY)).scalars()] == VERSION_WRITTEN.findall(script)


def prepared(kind: str) -> str:
    """Return the statements that create the tables in a kind of database, if there are any."""
    for file in (folder / f"{kind}.sql" for folder in FOLDERS):
        # Not the version in the package itself, whose import takes most of the time.
        with suppress(OSError, PackageNotFoundError):
            script = file.read_text(encoding="utf-8")
            if script.startswith(f"-- MLflow {version('mlflow')}\n"):
                return script
    return ""


def _create(engine: Any, script: str) -> bool:
    """Create all tables, or none; return whether it succeeded."""
    from sqlalchemy.exc import SQLAlchemyError

    # If it fails, the migrations are tried, and MLflow reports why they fail too.
    with suppress(SQLAlchemyError, engine.dialect.dbapi.Error):
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            # SQLite's other method executes only one statement.
            getattr(cursor, "executescript", cursor.execute)(script)
            connection.commit()
        return True
    return False
