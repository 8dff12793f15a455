"""Count the rows of some tables."""

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request


def main(request: Request) -> dict[str, int]:
    """Return the number of rows by table.

    Args:
        request: `backend` (URI) and `tables` (names).
    """
    engine = tables.open_database(request["backend"])
    with tables.database_errors(), engine.connect() as reading:
        found = tables.reflected(engine).tables
        return {name: tables.count(reading, found[name]) for name in request["tables"]}
