"""Talk to a running stack from this machine, as its users do.

`tracking` is a client of MLflow's REST API, `objects` of S3, `jupyter` of JupyterLab, `models` of a
served model, `pgadmin` of pgAdmin, `users` of MLflow's login, `workspaces` of MLflow's workspaces;
`bucket` reads a bucket with any client of S3; `trust` says how they verify the proxy. They raise
their own small errors, which describe what happened; `checks` find out why.
"""

from mlflow_compose.clients.bucket import Listed, ObjectsError
from mlflow_compose.clients.errors import CertificateError, NoAnswer, TrackingError, Unreachable
from mlflow_compose.clients.jupyter import Jupyter, JupyterError
from mlflow_compose.clients.models import ModelError, ModelServer
from mlflow_compose.clients.objects import Objects
from mlflow_compose.clients.pgadmin import PgAdmin, PgAdminError
from mlflow_compose.clients.tracking import Tracking
from mlflow_compose.clients.trust import trusted
from mlflow_compose.clients.users import User, Users
from mlflow_compose.clients.workspaces import Workspace, Workspaces

__all__ = [
    "CertificateError",
    "Jupyter",
    "JupyterError",
    "Listed",
    "ModelError",
    "ModelServer",
    "NoAnswer",
    "Objects",
    "ObjectsError",
    "PgAdmin",
    "PgAdminError",
    "Tracking",
    "TrackingError",
    "Unreachable",
    "User",
    "Users",
    "Workspace",
    "Workspaces",
    "trusted",
]
