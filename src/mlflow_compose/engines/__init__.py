"""What runs a stack: one protocol, and one folder per engine.

An engine gets a Stack that is already on disk. It starts, stops and looks at services, and
knows nothing of what they do; it turns its own troubles into errors with a next command.
"""

from mlflow_compose.engines.base import Engine, Outcome, ServiceStatus, SharedFolder
from mlflow_compose.engines.choice import Choice, choose, open_engine
from mlflow_compose.engines.places import place_of
from mlflow_compose.engines.ports import check_ports, holder_of
from mlflow_compose.engines.remote import RemoteError, run_modules

__all__ = [
    "Choice",
    "Engine",
    "Outcome",
    "RemoteError",
    "ServiceStatus",
    "SharedFolder",
    "check_ports",
    "choose",
    "holder_of",
    "open_engine",
    "place_of",
    "run_modules",
]
