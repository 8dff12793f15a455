"""Move the data of a stack from one store to another.

`destination` tells what `--to` means, `objects` copies and compares buckets from this machine, and
`stores` copies what only MLflow's own service can reach.
"""

from mlflow_compose.data.migration.destination import changes
from mlflow_compose.data.migration.objects import copy as copy_objects
from mlflow_compose.data.migration.stores import copy_artifacts, copy_runs

__all__ = ["changes", "copy_artifacts", "copy_objects", "copy_runs"]
