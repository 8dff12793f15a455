"""Keeps artifacts in the artifacts destination of the server, and nowhere else.

MLflow lets everyone who may create an experiment choose its artifact location, and then reads and
writes there with the rights of the server: in a folder of the server, in another bucket, among the
artifacts of other users. No setting prevents this. If the stack enables it, this tracking store
accepts no location from users, and nothing outside of the server's artifacts destination is opened,
not even for experiments that were created earlier. And MLflow lets every user generate its demo in
any workspace, also without access to it; here, that is refused. MLflow finds this plugin by the
entry points beside this file.
"""

import os
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

ENABLED_BY = "OWN_LOCATIONS_ONLY"
# Set by `mlflow server` for its workers.
DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
DEMO_IS_OFF = "the demo is off: any user could create it in any workspace"
TRACE_LOCATION = "mlflow.artifactLocation"


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:  # noqa: ANN401
    """Return MLflow's own tracking store, which rejects artifact locations if that is enabled."""
    if artifact_uri is None or not _is_enabled():
        from mlflow.tracking._tracking_service import utils

        return utils._get_sqlalchemy_store(store_uri, artifact_uri)  # noqa: SLF001 - no public one
    from mlflow.server.handlers import TrackingStoreRegistryWrapper
    from mlflow.store.artifact import artifact_repository_registry

    # Entry points cannot name the empty scheme of a plain path.
    repositories = artifact_repository_registry.get_registered_artifact_repositories()
    repositories |= dict.fromkeys(("", "file"), OwnLocalRepository)
    store = TrackingStoreRegistryWrapper._get_sqlalchemy_store(store_uri, artifact_uri)  # noqa: SLF001
    store.__class__ = _without_locations(type(store))
    return store


def _without_locations(store: Any) -> Any:  # noqa: ANN401 - mlflow is not typed
    class Store(store):  # type: ignore[misc]
        def create_experiment(
            self,
            name: str,
            artifact_location: str | None = None,
            tags: Any = None,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            if artifact_location:
                raise _refusal("artifact_location must not be set")
            return super().create_experiment(name, None, tags)

        def get_experiment_by_name(self, experiment_name: str) -> Any:  # noqa: ANN401
            if _is_demo_request():
                raise MlflowException(DEMO_IS_OFF, error_code=INVALID_PARAMETER_VALUE)
            return super().get_experiment_by_name(experiment_name)

        def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
            if key == TRACE_LOCATION:
                raise _refusal(f"{key} must not be changed")
            super().set_trace_tag(trace_id, key, value)

    return Store


class OwnLocalRepository(LocalArtifactRepository):  # type: ignore[misc] # mlflow is not typed
    """MLflow's repository for folders, limited to the artifacts destination."""

    def __init__(self, artifact_uri: str, *args: Any, **options: Any) -> None:  # noqa: ANN401
        check_place(artifact_uri)
        super().__init__(artifact_uri, *args, **options)


def check_place(uri: str) -> None:
    """Reject locations outside of the artifacts destination, if that is enabled."""
    destination = os.environ.get(DESTINATION)
    if destination and _is_enabled() and not _is_below(uri, destination):
        raise _refusal(f"{uri} is not in the artifacts destination")


def _is_below(uri: str, root: str) -> bool:
    if is_local_uri(root):
        if not is_local_uri(uri):
            return False
        path, top = (Path(local_file_uri_to_path(one)).resolve() for one in (uri, root))
        return path.is_relative_to(top)
    return f"{uri}/".startswith(f"{root.rstrip('/')}/")


def _is_demo_request() -> bool:
    """Tell whether this is a request for MLflow's demo, to which it lets every user in 3.17."""
    from flask import has_request_context, request

    path = str(request.path) if has_request_context() else ""
    return path.rstrip("/").endswith("/mlflow/demo/generate")


def _is_enabled() -> bool:
    return os.environ.get(ENABLED_BY) == "true"


def _refusal(what: str) -> MlflowException:
    return MlflowException(
        f"{what}: this server only uses its own artifact store",
        error_code=INVALID_PARAMETER_VALUE,
    )
