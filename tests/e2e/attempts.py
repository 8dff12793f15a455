"""Runs inside the mlflow service: tries many queries, and returns those that were accepted."""

from mlflow_compose.engines.inside.answer import Failure, Request
from mlflow_compose.queries.inside import main as queries


def main(request: Request) -> list[str]:
    """Return the statements that the database did not refuse."""
    return [text for text in request["statements"] if is_accepted({**request, "query": text})]


def is_accepted(request: Request) -> bool:
    """Run one statement."""
    try:
        queries.main(request)
    except Failure:
        return False
    return True
