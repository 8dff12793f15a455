"""Read the tables of the backend store in SQL, without being able to change them.

`named` has queries that answer common questions, `read` runs one inside the stack, where the
database need not be published, `layout` shows its rows, and `shell` opens psql or a shell of
SQLite. `seats` counts what the seats of a class have stored. What runs in the stack is in `inside`.
"""

from mlflow_compose.queries.layout import LAYOUTS, Layout
from mlflow_compose.queries.named import QUERIES, Query, query_of
from mlflow_compose.queries.read import read
from mlflow_compose.queries.seats import SeatCounts, Stored
from mlflow_compose.queries.shell import open_shell

__all__ = [
    "LAYOUTS",
    "QUERIES",
    "Layout",
    "Query",
    "SeatCounts",
    "Stored",
    "open_shell",
    "query_of",
    "read",
]
