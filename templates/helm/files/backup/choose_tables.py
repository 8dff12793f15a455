"""First step of a backup: find MLflow's tables, and write the arguments of pg_dump to a file."""

import argparse
import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from mlflow_compose.data.backup.dumped import SERVER, TABLES, dump_options
from mlflow_compose.data.inside import own_tables, tables
from mlflow_compose.data.inside.mlflow_tables import mlflows
from mlflow_compose.engines.inside import answer, schema

# What the next steps read: one argument a line, and what the database says about itself.
ARGUMENTS, FACTS = "arguments", "facts.json"
# In URIs, SQLAlchemy's driver, which libpq does not know.
DRIVER = re.compile(r"^postgresql\+\w+:")


def choose(request: answer.Request) -> dict[str, int]:
    """Write both files; return the number of tables."""
    # Before anything is read: artifacts of runs that finish later are not missed by the runs.
    created = datetime.now(UTC)
    database = tables.open_database(request["backend_store"])
    with tables.database_errors(), database.connect() as reading:
        namespace, server = reading.exec_driver_sql(SERVER).one()
        found = reading.exec_driver_sql(TABLES).scalars().all()
    script = schema.prepared("postgresql")
    chosen = mlflows(found, script, lambda: own_tables.main({}), is_current=bool(script))
    if not chosen:
        # Without a table, pg_dump would dump whatever else is there.
        raise answer.Failure("the database has no tables of MLflow")
    uri = DRIVER.sub("postgresql:", request["backend_store"])
    facts = {
        "created": created.isoformat(),
        "mlflow": version("mlflow"),
        "namespace": namespace,
        "server": server.split()[0],
    }
    folder = Path(request["folder"])
    folder.mkdir(exist_ok=True)
    lines = [f"{argument}\n" for argument in (*dump_options(namespace, chosen), uri)]
    (folder / ARGUMENTS).write_text("".join(lines), encoding="utf-8")
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    return {"tables": len(chosen)}


def main() -> None:
    """Read the options, and find the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend-store", required=True)
    parser.add_argument("--folder", required=True, help="folder that the next steps read")
    answer.exit_on_signals()
    answer.serve(choose, vars(parser.parse_args()))


if __name__ == "__main__":
    main()
