"""First step of a backup: find MLflow's tables, and write the arguments of pg_dump to a file."""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlflow_compose.data.backup.dumped import SERVER, TABLES, dump_options
from mlflow_compose.data.inside import own_tables, tables
from mlflow_compose.data.inside.mlflow_tables import LOGIN_SCHEMA_TABLE, SCHEMA_TABLE, mlflows
from mlflow_compose.engines.inside import answer, schema

# What the next steps read: one argument a line, and what the database says about itself.
ARGUMENTS, FACTS = "arguments", "facts.json"
# In URIs, SQLAlchemy's driver, which libpq does not know.
DRIVER = re.compile(r"^postgresql\+\w+:")
# What a set of tables holds, and the folder of its migrations in MLflow's package, by the table
# with its revision.
MIGRATIONS = {
    SCHEMA_TABLE: ("runs and models", "store/db_migrations"),
    LOGIN_SCHEMA_TABLE: ("logins", "server/auth/db/migrations"),
}


def choose(request: answer.Request) -> dict[str, int]:
    """Write both files; return the number of tables."""
    # Before anything is read: artifacts of runs that finish later are not missed by the runs.
    created = datetime.now(UTC)
    database = tables.open_database(request["backend_store"])
    with tables.database_errors(), database.connect() as reading:
        namespace, server = reading.exec_driver_sql(SERVER).one()
        found = reading.exec_driver_sql(TABLES).scalars().all()
        at = {name: revisions(reading, name) for name in MIGRATIONS if name in found}
    script = schema.prepared("postgresql")
    chosen = mlflows(found, script, lambda: own_tables.main({}), is_current=bool(script))
    if not chosen:
        # Without a table, pg_dump would dump whatever else is there.
        raise answer.Failure("the database has no tables of MLflow")
    check_revisions(at)
    uri = DRIVER.sub("postgresql:", request["backend_store"])
    facts = {
        "created": created.isoformat(),
        "mlflow": version("mlflow"),
        "namespace": namespace,
        "server": server.split()[0],
        # The last step compares the dump with them.
        "tables": chosen,
        "revisions": {name: each for name, (each, *_) in at.items()},
    }
    folder = Path(request["folder"])
    folder.mkdir(exist_ok=True)
    lines = [f"{argument}\n" for argument in (*dump_options(namespace, chosen), uri)]
    (folder / ARGUMENTS).write_text("".join(lines), encoding="utf-8")
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    return {"tables": len(chosen)}


def revisions(reading: Any, table: str) -> list[str]:  # noqa: ANN401 - sqlalchemy is only where it runs
    """Return what a table says about the revision of the tables beside it."""
    found = reading.exec_driver_sql(f"SELECT version_num FROM {table}").scalars().all()  # noqa: S608 - one of two names
    if not found:
        raise answer.Failure(f"the table {table} has no revision, so its tables are not known")
    return [*found]


def check_revisions(found: Mapping[str, Sequence[str]]) -> None:
    """Make sure that this MLflow knows all tables of the database: those of no other version.

    Tables of logins may be older, because they are not migrated without a login: it knows these.
    """
    of_image = f"MLflow {version('mlflow')} in mlflow.image"
    for table, revisions in found.items():
        about, folder = MIGRATIONS[table]
        scripts = migrations(folder)
        known = {script.revision for script in scripts.walk_revisions()}
        is_at = f"the tables of {about} are at revision {', '.join(revisions)}"
        if not known.issuperset(revisions):
            raise answer.Failure(
                f"{is_at}, which {of_image} does not know: a newer version has migrated them, "
                "and a snapshot would be incomplete"
            )
        head = scripts.get_current_head()
        if table == SCHEMA_TABLE and [head] != [*revisions]:
            raise answer.Failure(
                f"{is_at}, and those of {of_image} at {head}: their migration has not finished"
            )


def migrations(folder: str) -> Any:  # noqa: ANN401 - alembic is only where it runs
    """Return a folder of migrations of the MLflow that is installed here."""
    from alembic.script import ScriptDirectory

    package = find_spec("mlflow")
    if package is None or package.origin is None:
        raise answer.Failure("mlflow is not installed")
    return ScriptDirectory(str(Path(package.origin).parent / folder))


def main() -> None:
    """Read the options, and find the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend-store", required=True)
    parser.add_argument("--folder", required=True, help="folder that the next steps read")
    answer.exit_on_signals()
    answer.serve(choose, vars(parser.parse_args()))


if __name__ == "__main__":
    main()
