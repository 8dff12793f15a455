"""Fill a store with MLflow's own client, for test_import.py; run as a program.

Its last line is a JSON list of run ids.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

POINTS = 20
# Flat, nested, with odd characters, and empty.
FILES = {
    "notes.txt": b"seen\n",
    "plots/loss.png": bytes(range(256)) * 8,
    "plots/deep/er/größe 100% (1)+.csv": b"a;b\n1;2\n",
    "empty.bin": b"",
}
# Only in the first run: more than one read returns.
LARGE = bytes(range(256)) * 4 * 1024 * 3
LARGE_PATH = "model/large.bin"


def fill(client: MlflowClient, name: str, runs: int, work: Path) -> list[str]:
    """Create two experiments with runs, a trace, a registered model and a logged model."""
    for path, content in FILES.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
    first, trash = (client.create_experiment(f"{name} {kind}") for kind in ("süß", "trash"))
    client.set_experiment_tag(first, "team", "blue")
    with ThreadPoolExecutor(8) as pool:
        chosen = [trash if number % 5 == 4 else first for number in range(runs)]
        log = partial(log_run, client, work)
        run_ids = list(pool.map(log, chosen, range(runs)))
    large = work.parent / Path(LARGE_PATH).name
    large.write_bytes(LARGE)
    client.log_artifact(run_ids[0], str(large), Path(LARGE_PATH).parent.as_posix())
    # One data set that two runs read; one after the other, since MLflow would fail to create it
    # twice at once.
    dataset = Dataset("leaves", "d1", "local", '{"path": "leaves.csv"}')
    for run_id in run_ids[:2]:
        client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("context", "test")])])
    client.delete_run(run_ids[1])
    register(client, name, run_ids[0])
    log_model(first, work)
    trace(first)
    client.delete_experiment(trash)
    return run_ids


def log_run(client: MlflowClient, work: Path, experiment: str, number: int) -> str:
    """Log one run with everything that a run can have."""
    run_id: str = client.create_run(experiment, run_name=f"run {number}").info.run_id
    now = int(time.time() * 1000)
    metrics = [
        Metric(key, value, now + step, step)
        for step in range(POINTS)
        for key, value in (("loss", 1 / (step + 1)), ("train/acc", number + step / 7))
    ]
    metrics += [Metric("odd", float("inf"), now, 0), Metric("odd", float("nan"), now, 1)]
    params = [Param("optimizer", "adam"), Param("depth/of tree", str(number))]
    client.log_batch(run_id, metrics, params, [RunTag("stage", f"test {number} ü")])
    client.log_artifacts(run_id, str(work))
    client.set_terminated(run_id)
    return run_id


def register(client: MlflowClient, name: str, run_id: str) -> None:
    """Register a model with two versions, tags and an alias."""
    client.create_registered_model(name, tags={"kind": "test"}, description="of import")
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    for number in ("1", "2"):
        client.create_model_version(
            name, source, run_id, tags={"number": number}, await_creation_for=None
        )
    client.set_registered_model_alias(name, "champion", "2")


def log_model(experiment: str, work: Path) -> None:
    """Log a model as MLflow 3 does, with its own id and artifact location."""
    model = mlflow.initialize_logged_model(
        "forest", params={"trees": "7"}, tags={"by": "test"}, experiment_id=experiment
    )
    MlflowClient().log_model_artifacts(model.model_id, str(work))
    mlflow.finalize_logged_model(model.model_id, "READY")


def trace(experiment: str) -> None:
    """Log a trace of two spans with an assessment."""
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_span("outer") as outer, mlflow.start_span("inner"):
        trace_id = outer.trace_id
    mlflow.flush_trace_async_logging()
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)


if __name__ == "__main__":
    uri, name, runs, work = sys.argv[1:]
    mlflow.set_tracking_uri(uri)
    found = fill(MlflowClient(), name, int(runs), Path(work))
    # MLflow prints links to its pages, so the result is the last line.
    sys.stdout.write("\n" + json.dumps(found))
