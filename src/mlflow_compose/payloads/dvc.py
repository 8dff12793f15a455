"""What the commands for DVC print."""

from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class DvcRemote:
    """`dvc init`."""

    project: str = key("Folder of the DVC project.")
    remote: str = key("Name of the remote, now the project's default.")
    url: str = key("URL of the bucket.")
    endpoint: str | None = key("URL of the S3 server, null for Amazon's.")
    region: str = key("Region of S3 requests.")
    key_is_limited: bool = key("Whether DVC's key is another one than MLflow's.")
