"""Copy a file of SQLite into a PostgreSQL database, and prove that the copy is one."""

import json
from collections.abc import Mapping

from mlflow_compose.data.inside import tables, whole
from mlflow_compose.engines import Engine, run_modules
from mlflow_compose.errors import StoreError
from mlflow_compose.result import Progress

MODULES = (tables, whole)
AGAIN = "mend that and run the same command again"


def copy(engine: Engine, source: str, target: str, progress: Progress) -> Mapping[str, int]:
    """Copy every row and compare them; return the number of rows by table.

    Args:
        engine: Of a stack whose mlflow reaches both databases.
        source: URI of a database with the schema of that MLflow.
        target: URI of an empty one.
        progress: Where to say what happens.

    Raises:
        StoreError: It cannot be copied, or is not the same afterwards.
    """
    request = {"source": source, "target": target}
    outcome = run_modules(engine, MODULES, request, on_line=progress.detail)
    try:
        answer: Mapping[str, Mapping[str, int]] = json.loads(outcome.stdout)
        return answer["rows"]
    except ValueError:
        said = (outcome.stderr or outcome.stdout).strip().splitlines() or ["it said nothing"]
        reason = said[-1]
    except KeyError:
        reason = str(answer["error"])
    raise StoreError(f"the runs cannot be copied: {engine.stack.mask(reason)}", hint=AGAIN)
