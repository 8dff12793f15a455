"""What moves data: into a stack, and from one store to another.

`source` tells what is meant, `staging` and `server` take all but the artifacts from it, `inside/`
is sent to where MLflow runs and brings the rows into the stack's database there, `transfer` sends
the artifacts from this machine, and `importing` is the order of it all. From one store of a stack
to another, `target` tells what is meant, `objects` and `copying` copy and compare. What is in
`inside/` may use what MLflow's image has, and nothing of ours.
"""

from mlflow_compose.data.copying import copy_folder, copy_runs
from mlflow_compose.data.importing import Import
from mlflow_compose.data.objects import Copied
from mlflow_compose.data.objects import copy as copy_objects
from mlflow_compose.data.source import Source, recognise
from mlflow_compose.data.target import changes
from mlflow_compose.data.transfer import sender

__all__ = [
    "Copied",
    "Import",
    "Source",
    "changes",
    "copy_folder",
    "copy_objects",
    "copy_runs",
    "recognise",
    "sender",
]
