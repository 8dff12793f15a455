"""Talk to a running stack from this machine, as its users do.

`tracking` is a client of MLflow's REST API, `objects` of S3. Both raise their own small errors,
which describe what happened; `checks` find out why.
"""

from mlflow_compose.clients.errors import NoAnswer, TrackingError, Unreachable
from mlflow_compose.clients.objects import Objects, ObjectsError
from mlflow_compose.clients.tracking import Tracking

__all__ = ["NoAnswer", "Objects", "ObjectsError", "Tracking", "TrackingError", "Unreachable"]
