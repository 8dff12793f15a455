"""S3 artifacts through the tracking server, and only through it.

MLflow tells its clients to fetch and send artifacts past the server, by signed addresses,
wherever its own S3 repository could make some (`build_server_info_payload` in
`mlflow/server/handlers.py`, 3.17); there is no setting against it. The addresses name S3 as
the server calls it, `http://s3:9000`, which no client outside of its network can reach: every
download would wait minutes and then fall back. This repository does the same work and cannot
sign, so clients do not ask. MLflow finds it by the entry point beside this file.
"""

from typing import Any

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
from own_locations import check_place


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

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001 - its subclass hook
