"""S3 artifacts through the tracking server only.

MLflow tells its clients to transfer artifacts directly, by presigned URLs, whenever its own S3
repository can create them (`build_server_info_payload` in `mlflow/server/handlers.py`, 3.17); no
setting prevents this. The URLs contain the endpoint of the server, `http://s3:9000`, which clients
outside of its network cannot reach: every download would hang for minutes before it falls back to
the proxy. This repository does the same work but cannot presign, so clients do not ask.

The response for a missing artifact must be 404, as from a server with a folder. MLflow's S3
repository causes a 500, which clients retry for minutes; and MLflow's clients do ask for artifacts
that may be missing (`runs:/ID/model` of a model, which is stored elsewhere since MLflow 3).

MLflow finds this repository by the entry point beside this file.
"""

import posixpath
import shutil
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
from own_locations import check_place

# Responses to HEAD have no body, so the status is their only code.
MISSING = {"404", "NoSuchKey"}
# Bytes. Larger objects are fetched in parts.
LARGE = 8 * 1024 * 1024


class ProxiedS3ArtifactRepository(ArtifactRepository):  # type: ignore[misc] # mlflow is not typed
    """MLflow's S3 repository with the basic interface: no presigned URLs, no multipart."""

    def __init__(self, artifact_uri: str, *args: Any, **options: Any) -> None:  # noqa: ANN401
        check_place(artifact_uri)
        super().__init__(artifact_uri, *args, **options)
        self._s3 = S3ArtifactRepository(artifact_uri, *args, **options)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Upload a file."""
        self._s3.log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload a folder."""
        self._s3.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """List a folder."""
        found: list[Any] = self._s3.list_artifacts(path)
        return found

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a folder."""
        self._s3.delete_artifacts(artifact_path)

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Fetch a file or a folder; with a destination, as the server does, only a file."""
        if not (artifact_path and dst_path):
            found: str = super().download_artifacts(artifact_path, dst_path)
            return found
        place: str = self._create_download_destination(artifact_path, dst_path)
        try:
            self._download_file(artifact_path, place)
        except MlflowException:
            if not self._is_directory(artifact_path):
                raise
            raise MlflowException(
                f"Artifact path refers to a directory, not a file: '{artifact_path}'",
                error_code=INVALID_PARAMETER_VALUE,
            ) from None
        return place

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        """Fetch a file; boto3's download asks for the size first, half the time of a small file."""
        from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

        bucket, root = self._s3.parse_s3_compliant_uri(self.artifact_uri)
        key = posixpath.join(root, remote_file_path)
        try:
            found = self._s3._get_s3_client().get_object(  # noqa: SLF001
                Bucket=bucket, Key=key, **getattr(self._s3, "_bucket_owner_params", {})
            )
            if found["ContentLength"] > LARGE:
                found["Body"].close()
                # In parts, several in parallel.
                self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001
                return
            try:
                with Path(local_path).open("wb") as file:
                    shutil.copyfileobj(found["Body"], file)
            except (HTTPClientError, IncompleteReadError):
                # The connection broke: only boto3's download retries the body.
                self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            raise MlflowException(
                f"No such artifact: '{remote_file_path}'", error_code=RESOURCE_DOES_NOT_EXIST
            ) from None
