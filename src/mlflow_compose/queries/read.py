"""Run a query inside the stack."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlflow_compose.engines import Engine, RemoteError, run_modules
from mlflow_compose.engines.answers import shaped
from mlflow_compose.errors import QueryError
from mlflow_compose.queries.inside import main, postgres, role, rows, sqlite, tables
from mlflow_compose.queries.inside.table import Row, Value

MODULES = (tables, rows, role, postgres, sqlite, main)


def read(  # noqa: PLR0913 - independent options
    engine: Engine,
    query: str,
    arguments: Sequence[str],
    *,
    limit: int,
    on_columns: Callable[[Sequence[str]], None],
    on_rows: Callable[[Sequence[Row]], None],
) -> bool:
    """Run a query; return whether there are more rows than the limit.

    Args:
        engine: Engine of the stack.
        query: One statement that reads.
        arguments: Values of a named query.
        limit: Number of rows after which it stops, 0 for none.
        on_columns: Called with the columns' names.
        on_rows: Called with each part of the rows.

    Raises:
        QueryError: The database refuses it.
    """

    def take(item: Mapping[str, Any]) -> None:
        if "columns" in item:
            on_columns(shaped(item["columns"], list[str]))
        else:
            on_rows(shaped(item["rows"], list[list[Value]]))

    request = {
        "backend": engine.stack.stores.backend_uri,
        "query": query,
        "arguments": [*arguments],
        "limit": limit,
        "reader": engine.stack.reader,
    }
    try:
        return run_modules(engine, MODULES, request, bool, on_item=take)
    except RemoteError as error:
        raise QueryError(str(error), hint=str(error.facts.get("hint") or HINT)) from None


HINT = "mlflow-compose sql --list shows queries and the tables that can be read"
