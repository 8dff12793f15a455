"""What moves data: into a stack, and from one store to another.

`inside/` is sent to where MLflow runs and copies rows from database to database there; it may use
what MLflow's image has, and nothing of ours. What is beside it runs on this machine.
"""

from mlflow_compose.data.objects import Copied
from mlflow_compose.data.objects import copy as copy_objects
from mlflow_compose.data.runs import copy as copy_runs
from mlflow_compose.data.target import changes

__all__ = ["Copied", "changes", "copy_objects", "copy_runs"]
