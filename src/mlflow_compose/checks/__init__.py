"""Verify that a stack works, or report the broken link.

`verify` acts as a user: what it stores must be returned unchanged. `probe` checks the stack from
inside; its modules run in a separate container next to the servers. `causes` turns the findings of
both into one sentence and a next command.
"""

from mlflow_compose.checks.amounts import Amounts, count
from mlflow_compose.checks.causes import diagnose, external_database, hidden_workspaces
from mlflow_compose.checks.owner import check_owner
from mlflow_compose.checks.verify import verify
from mlflow_compose.stack import Cause

__all__ = [
    "Amounts",
    "Cause",
    "check_owner",
    "count",
    "diagnose",
    "external_database",
    "hidden_workspaces",
    "verify",
]
