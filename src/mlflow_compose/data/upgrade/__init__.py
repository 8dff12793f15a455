"""Bring the data of a stack to newer servers: MLflow's tables, and PostgreSQL's data folder."""

from mlflow_compose.data.upgrade.folder import Majors, delete_old, majors, put_back, set_aside
from mlflow_compose.data.upgrade.others import check_only_mlflow
from mlflow_compose.data.upgrade.schema import check_names, create_tables, upgrade_tables

__all__ = [
    "Majors",
    "check_names",
    "check_only_mlflow",
    "create_tables",
    "delete_old",
    "majors",
    "put_back",
    "set_aside",
    "upgrade_tables",
]
