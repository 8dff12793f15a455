"""Talk to a running stack from this machine, as its users do.

`tracking` speaks MLflow's REST API, `objects` speaks S3. Both raise their own small errors,
which say what happened and leave it to `checks` to find out why.
"""

from mlflow_compose.clients.errors import NoAnswer, TrackingError, Unreachable
from mlflow_compose.clients.objects import Objects, ObjectsError
from mlflow_compose.clients.tracking import Tracking

__all__ = ["NoAnswer", "Objects", "ObjectsError", "Tracking", "TrackingError", "Unreachable"]
