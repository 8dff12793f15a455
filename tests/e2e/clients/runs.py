"""Steps with runs, their artifacts, and a model without a flavor."""

from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from .step import EXPERIMENT, Seen, write


def log_run(folder: Path) -> Seen:
    """Log a run with everything that a run can have, and a folder of artifacts."""
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        mlflow.log_params({"optimizer": "adam", "depth": 3})
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.set_tag("stage", "test")
        mlflow.log_artifacts(str(write(folder / "outputs")), "outputs")
    client = MlflowClient()
    found = client.get_run(run.info.run_id)
    copy = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id))
    return {
        "run_id": run.info.run_id,
        "experiment_id": run.info.experiment_id,
        "status": found.info.status,
        "params": found.data.params,
        "metrics": found.data.metrics,
        "stage": found.data.tags["stage"],
        "history": [metric.value for metric in client.get_metric_history(run.info.run_id, "loss")],
        "listed": [file.path for file in client.list_artifacts(run.info.run_id, "outputs/plots")],
        "downloaded": str(copy / "outputs"),
        "found": [run.info.run_id for run in client.search_runs([run.info.experiment_id])],
    }


def register(folder: Path) -> Seen:
    """Register a model and load it by name and version."""
    mlflow.set_experiment(EXPERIMENT)
    model = Model(artifact_path="model")
    model.add_flavor("weights", file="weights.bin")
    model.save(str(write(folder) / "MLmodel"))
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "model")
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "official-model")
    uri = f"models:/{version.name}/{version.version}"
    MlflowClient().set_registered_model_alias(version.name, "champion", version.version)
    champion = MlflowClient().get_model_version_by_alias(version.name, "champion")
    return {
        "run_id": run.info.run_id,
        "status": version.status,
        "champion": champion.version == version.version,
        "downloaded": mlflow.artifacts.download_artifacts(uri),
    }


def look_for_nothing(folder: Path) -> Seen:
    """Request a missing artifact and count how often the client sends the request."""
    from urllib3.connectionpool import HTTPConnectionPool

    sent: list[str] = []
    send = HTTPConnectionPool._make_request

    def count(self: HTTPConnectionPool, connection: Any, method: str, url: str, **more: Any) -> Any:  # noqa: ANN401
        sent.append(url)
        return send(self, connection, method, url, **more)

    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        mlflow.log_param("depth", 3)
    HTTPConnectionPool._make_request = count  # type: ignore[method-assign, assignment]
    found = {"error": ""}
    try:
        uri = f"runs:/{run.info.run_id}/nothing/MLmodel"
        mlflow.artifacts.download_artifacts(uri, dst_path=str(folder))
    except MlflowException as error:
        found["error"] = error.error_code
    finally:
        HTTPConnectionPool._make_request = send  # type: ignore[method-assign]
    return {**found, "requests": sum(url.endswith("nothing/MLmodel") for url in sent)}
