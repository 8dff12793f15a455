"""Fills a store with MLflow's own client, for test_import.py; run as a program.

Prints, as JSON, what is in there now.
"""

import json
import sys
import time
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.models import Model

POINTS = 20
# A path of each kind: flat, nested, with odd characters, empty, and larger than a chunk.
FILES = {
    "notes.txt": b"seen\n",
    "plots/loss.png": bytes(range(256)) * 8,
    "plots/deep/er/größe 100%.csv": b"a;b\n1;2\n",
    "empty.bin": b"",
}
LARGE = bytes(range(256)) * 4 * 1024 * 3


def fill(uri: str, runs: int, work: Path) -> None:
    """Make two experiments with runs, a registered model and a logged model."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    for path, content in FILES.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
    experiments = [client.create_experiment(name) for name in ("import süß", "import trash")]
    client.set_experiment_tag(experiments[0], "team", "blue")
    made = [log_run(client, experiments[number % 5 == 4], number, work) for number in range(runs)]
    large = work.parent / "large.bin"
    large.write_bytes(LARGE)
    client.log_artifact(made[0], str(large), "model")
    client.delete_run(made[1])
    register(client, made[0])
    log_model(experiments[0], work)
    client.delete_experiment(experiments[1])


def log_run(client: MlflowClient, experiment: str, number: int, work: Path) -> str:
    """Log one run with everything that runs have."""
    run_id: str = client.create_run(experiment, run_name=f"run {number}").info.run_id
    now = int(time.time() * 1000)
    metrics = [
        Metric(key, value, now + step, step)
        for step in range(POINTS)
        for key, value in (("loss", 1 / (step + 1)), ("train/acc", number + step / 7))
    ]
    metrics += [Metric("odd", float("nan"), now, 0), Metric("odd", float("inf"), now, 1)]
    params = [Param("optimizer", "adam"), Param("depth/of tree", str(number))]
    client.log_batch(run_id, metrics, params, [RunTag("stage", f"test {number} ü")])
    client.log_artifacts(run_id, str(work))
    client.set_terminated(run_id)
    return run_id


def register(client: MlflowClient, run_id: str) -> None:
    """Register a model with two versions, tags and an alias."""
    client.create_registered_model("imported", tags={"kind": "test"}, description="of import")
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    for number in ("1", "2"):
        client.create_model_version("imported", source, run_id, tags={"number": number})
    client.set_registered_model_alias("imported", "champion", "2")


def log_model(experiment: str, work: Path) -> None:
    """Log a model that is one of MLflow 3: with an id and a place of its own."""
    model = mlflow.initialize_logged_model(
        "forest", params={"trees": "7"}, tags={"by": "test"}, experiment_id=experiment
    )
    mlflow.MlflowClient().log_model_artifacts(model.model_id, str(work))
    mlflow.finalize_logged_model(model.model_id, "READY")


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    del json, Model, ViewType
