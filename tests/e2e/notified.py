"""Runs inside the mlflow service: returns what a query and then this module notify listeners of."""

import select
from contextlib import closing

from mlflow_compose.engines.inside.answer import Request
from mlflow_compose.queries.inside import main as queries

# Seconds.
PATIENCE = 30


def main(request: Request) -> list[str]:
    """Return the notifications that were sent, up to that of this module."""
    import psycopg2

    with closing(psycopg2.connect("service=mlflow")) as listener:
        listener.autocommit = True
        with listener.cursor() as cursor:
            cursor.execute("LISTEN mlflow_compose_test")
            queries.main(request)
            cursor.execute("NOTIFY mlflow_compose_test, 'end'")
        while not any(each.payload == "end" for each in listener.notifies):
            select.select([listener], [], [], PATIENCE)
            listener.poll()
        return [each.payload for each in listener.notifies]
