"""S3 artifacts through the tracking server, and only through it.

MLflow tells its clients to fetch and send artifacts past the server, by signed addresses,
wherever its own S3 repository could make some (`build_server_info_payload` in
`mlflow/server/handlers.py`, 3.17); there is no setting against it. The addresses name S3 as
the server calls it, `http://s3:9000`, which no client outside of its network can reach: every
download would wait minutes and then fall back. This repository does the same work and cannot
sign, so clients do not ask.

An artifact that is not there must be answered with 404, as it is by a server with a folder. MLflow's
repository of S3 lets it become 500, which clients try again for minutes; and MLflow's clients ask for
what may not be there (`runs:/ID/model` of a model that is kept elsewhere since MLflow 3).

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

# Answers to HEAD have no body, and so no code but the status.
MISSING = {"404", "NoSuchKey"}
# Bytes, from which on boto fetches in parts.
LARGE = 8 * 1024 * 1024


class ProxiedS3ArtifactRepository(ArtifactRepository):  # type: ignore[misc] # mlflow is not typed
    """MLflow's S3 repository behind the plain interface: no signed addresses, no parts."""

    def __init__(self, artifact_uri: str, *args: Any, **options: Any) -> None:  # noqa: ANN401
        check_place(artifact_uri)
        super().__init__(artifact_uri, *args, **options)
        self._s3 = S3ArtifactRepository(artifact_uri, *args, **options)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Store a file."""
        self._s3.log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Store a folder."""
        self._s3.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """List one folder."""
        found: list[Any] = self._s3.list_artifacts(path)
        return found

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a folder."""
        self._s3.delete_artifacts(artifact_path)

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Fetch a file or a folder; where a destination is named, as by the server, a file only."""
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
        """Fetch a file; boto's own way asks for its size first, which is half the time of a small one."""
        from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

        bucket, root = self._s3.parse_s3_compliant_uri(self.artifact_uri)
        key = posixpath.join(root, remote_file_path)
        try:
            found = self._s3._get_s3_client().get_object(  # noqa: SLF001
                Bucket=bucket, Key=key, **getattr(self._s3, "_bucket_owner_params", {})
            )
            if found["ContentLength"] > LARGE:
                found["Body"].close()
                # In parts, several at a time.
                self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001
                return
            try:
                with Path(local_path).open("wb") as file:
                    shutil.copyfileobj(found["Body"], file)
            except (HTTPClientError, IncompleteReadError):
                # The connection broke: only boto's own way tries a body again.
                self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            raise MlflowException(
                f"No such artifact: '{remote_file_path}'", error_code=RESOURCE_DOES_NOT_EXIST
            ) from None
