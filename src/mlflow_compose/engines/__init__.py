"""What runs a stack: one protocol, and one folder per engine.

An engine gets a Stack that is already on disk. It starts, stops and inspects services without
knowing what they do, and turns its own failures into errors with a next command.
"""

from mlflow_compose.engines.access import Access
from mlflow_compose.engines.answers import RemoteError, shaped
from mlflow_compose.engines.base import Engine, ServiceStatus, SharedFolder
from mlflow_compose.engines.choice import (
    Choice,
    check_supports,
    choose,
    is_elsewhere,
    locate,
    open_engine,
)
from mlflow_compose.engines.data_paths import data_path
from mlflow_compose.engines.dialogue import Dialogue
from mlflow_compose.engines.docker.availability import problem as docker_problem
from mlflow_compose.engines.install_hints import NO_PACKAGE
from mlflow_compose.engines.local.installer import environment as uv_environment
from mlflow_compose.engines.local.installer import run_uv, uv_program
from mlflow_compose.engines.local.wheels import wheels_folder, write_wheels
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.ports import check_ports, holder_of, is_taken, other_ports
from mlflow_compose.engines.raw import input_to, output_of, run_raw
from mlflow_compose.engines.remote import Loading, attach_modules, run_modules
from mlflow_compose.engines.seat import SeatEngine

__all__ = [
    "NO_PACKAGE",
    "Access",
    "Choice",
    "Dialogue",
    "Engine",
    "Loading",
    "Outcome",
    "RemoteError",
    "SeatEngine",
    "ServiceStatus",
    "SharedFolder",
    "attach_modules",
    "check_ports",
    "check_supports",
    "choose",
    "data_path",
    "docker_problem",
    "holder_of",
    "input_to",
    "is_elsewhere",
    "is_taken",
    "locate",
    "open_engine",
    "other_ports",
    "output_of",
    "run_modules",
    "run_raw",
    "run_uv",
    "shaped",
    "uv_environment",
    "uv_program",
    "wheels_folder",
    "write_wheels",
]
