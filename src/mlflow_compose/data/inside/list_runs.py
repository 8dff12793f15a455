"""List the runs of a database with their latest metrics and params."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request, item

ACTIVE = "active"
NOT_A_NUMBER = "NaN"


def main(request: Request) -> None:
    """Report the runs that are not deleted, in the order of their starts.

    Args:
        request: `backend` (URI).
    """
    from sqlalchemy import select

    database = tables.open_database(request["backend"])
    with tables.database_errors(), database.connect() as reading:
        found = tables.reflected(database).tables
        runs, experiments = found["runs"], found["experiments"]
        metrics = values_of(reading, found["latest_metrics"])
        params = values_of(reading, found["params"])
        query = (
            select(
                runs.c.run_uuid.label("run_id"),
                runs.c.name,
                runs.c.status,
                runs.c.start_time,
                runs.c.end_time,
                experiments.c.name.label("experiment"),
                workspace_of(experiments).label("workspace"),
            )
            .join(experiments, runs.c.experiment_id == experiments.c.experiment_id)
            .where(runs.c.lifecycle_stage == ACTIVE)
            .order_by(runs.c.start_time)
        )
        for row in reading.execute(query).mappings():
            run = row["run_id"]
            item({**row, "metrics": metrics.get(run, {}), "params": params.get(run, {})})


def workspace_of(experiments: Any) -> Any:
    """Return the column of the workspace, which older versions of MLflow do not have."""
    from sqlalchemy import literal

    return experiments.c.get("workspace", literal(""))


def values_of(reading: Any, table: Any) -> Mapping[str, Mapping[str, object]]:
    """Return the values of a table with keys, by run."""
    found: dict[str, dict[str, object]] = defaultdict(dict)
    for row in reading.execute(table.select()).mappings():
        value = NOT_A_NUMBER if row.get("is_nan") else row["value"]
        found[row["run_uuid"]][row["key"]] = value
    return found
