"""Run a query on the backend store."""

from mlflow_compose.engines.inside.answer import Request
from mlflow_compose.queries.inside import postgres, sqlite


def main(request: Request) -> bool:
    """Report columns and rows; return whether there are more rows than `limit`.

    Args:
        request: `backend` (URI), `query`, `arguments` (texts), `limit` (0 for none), and the
            `reader` (role and password).
    """
    is_file = request["backend"].startswith(sqlite.PREFIX)
    return sqlite.read(request) if is_file else postgres.read(request)
