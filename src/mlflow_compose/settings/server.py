"""The settings of MLflow's tracking server."""

from typing import Literal

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import (
    BucketName,
    Flag,
    Generated,
    LoginName,
    LoginPassword,
    OneLine,
    Port,
    Replicas,
    Version,
    Workers,
    setting,
)
from mlflow_compose.settings.sections import MLFLOW

PINNED_MLFLOW = "3.17.2"


class ServerSettings(BaseSettings):
    """How the tracking server runs, and who may use it."""

    mlflow_port: Port = setting(5000, "Port of MLflow on this machine.", section=MLFLOW)
    mlflow_bucket_name: BucketName = setting(
        "mlflow", "Bucket that holds the artifacts.", section=MLFLOW
    )
    mlflow_version: Version = setting(
        PINNED_MLFLOW,
        "MLflow version; any other than the default is installed without pinned hashes.",
        section=MLFLOW,
    )
    mlflow_workers: Workers = setting(2, "Number of MLflow server processes.", section=MLFLOW)
    mlflow_replicas: Replicas = setting(
        1,
        "Number of tracking servers, each with MLFLOW_WORKERS processes (docs/how-to/replicas.md).",
        section=MLFLOW,
    )
    mlflow_jobs: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Run MLflow's background jobs, which need 8 more processes and 1.5 GB of memory.",
        section=MLFLOW,
    )
    mlflow_auth: Literal["none", "basic"] = setting(
        "none", "Login: none, or basic (user name and password).", section=MLFLOW
    )
    mlflow_admin_username: LoginName = setting(
        "admin", "User name of the first admin, if MLFLOW_AUTH is basic.", section=MLFLOW
    )
    mlflow_admin_password: LoginPassword = setting(
        Generated(24, required=False),
        "Password of the admin, at least 12 characters; change it in MLflow first, then here.",
        section=MLFLOW,
    )
    mlflow_workspaces: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Separate experiments, models and artifacts by workspace (docs/how-to/workspaces.md).",
        section=MLFLOW,
    )
    mlflow_allowed_hosts: OneLine = setting(
        "",
        "Additional host names that clients may use for MLflow, comma-separated.",
        section=MLFLOW,
    )
    mlflow_cors_origins: OneLine = setting(
        "",
        "Additional origins whose web pages may call MLflow (CORS), comma-separated.",
        section=MLFLOW,
    )
    mlflow_artifact_access: Literal["proxied", "direct"] = setting(
        "proxied",
        "How clients access artifacts: proxied (via MLflow) or direct (from S3, with the S3 key).",
        section=MLFLOW,
    )
