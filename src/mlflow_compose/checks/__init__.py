"""Prove that a stack does its work, and name the broken link where it does not.

`verify` plays a user: what it puts in must come back. `probe` is the same from the inside; its
source runs in a container of its own beside the servers. `causes` turns what both saw into
one sentence and a next command.
"""

from mlflow_compose.checks.amounts import Amounts, count
from mlflow_compose.checks.causes import diagnose, external_database
from mlflow_compose.checks.owner import check_owner
from mlflow_compose.checks.verify import Step, verify
from mlflow_compose.stack import Cause

__all__ = [
    "Amounts",
    "Cause",
    "Step",
    "check_owner",
    "count",
    "diagnose",
    "external_database",
    "verify",
]
