"""Prepare the role with which psql reads."""

from mlflow_compose.engines.inside.answer import Request
from mlflow_compose.queries.inside import postgres


def main(request: Request) -> str:
    """Make sure that the role can be logged in to; return the schema of the tables.

    Args:
        request: `reader` (role and password).
    """
    return postgres.prepare(request)
