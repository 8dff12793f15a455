"""Bring the schema of a database up to date."""

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request


def main(request: Request) -> None:
    """Upgrade a database to the schema of this MLflow version.

    Args:
        request: `backend` (URI), and `login`: whether it has tables of login.
    """
    tables.upgrade(request["backend"], login=request["login"])
