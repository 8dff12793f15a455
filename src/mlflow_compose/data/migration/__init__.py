"""Move the data of a stack from one store to another.

`destination` translates `--to` into settings, `buckets` copies and compares buckets from this
machine, `remote` copies what only the mlflow service can reach, and `cluster` moves everything to
the same stack on another engine.
"""

from mlflow_compose.data.migration.buckets import copy as copy_objects
from mlflow_compose.data.migration.cluster import (
    check_unchanged,
    not_moved,
    send_objects,
    send_runs,
)
from mlflow_compose.data.migration.destination import changes
from mlflow_compose.data.migration.remote import copy_artifacts, copy_runs, named_buckets

__all__ = [
    "changes",
    "check_unchanged",
    "copy_artifacts",
    "copy_objects",
    "copy_runs",
    "named_buckets",
    "not_moved",
    "send_objects",
    "send_runs",
]
