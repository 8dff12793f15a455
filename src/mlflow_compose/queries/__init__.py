"""Read the tables of the backend store in SQL, without being able to change them.

`named` has queries that answer common questions, `read` runs one inside the stack, where the
database need not be published, and `layout` shows its rows. What runs there is in `inside`.
"""

from mlflow_compose.queries.layout import LAYOUTS, Layout
from mlflow_compose.queries.named import QUERIES, Query, query_of
from mlflow_compose.queries.read import read

__all__ = ["LAYOUTS", "QUERIES", "Layout", "Query", "query_of", "read"]
