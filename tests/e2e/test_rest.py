"""The REST API as programs call it: what a client stores is in the database and the bucket."""

import time
import uuid

from .running import CONTENT, RunningStack


def test_an_experiment_must_be_renamed_deleted_and_restored(shared: RunningStack) -> None:
    api, name = shared.api, f"e2e-{uuid.uuid4().hex}"
    id_ = api.post("experiments/create", name=name)["experiment_id"]
    api.post("experiments/update", experiment_id=id_, new_name=f"{name}-renamed")
    found = api.get("experiments/get-by-name", experiment_name=f"{name}-renamed")
    assert found["experiment"]["experiment_id"] == id_
    api.post("experiments/delete", experiment_id=id_)
    assert lifecycle_stages(shared)[id_] == "deleted"
    api.post("experiments/restore", experiment_id=id_)
    assert lifecycle_stages(shared)[id_] == "active"


def test_everything_logged_to_a_run_must_be_read_back(shared: RunningStack) -> None:
    api, now = shared.api, int(time.time() * 1000)
    run = shared.log_run()
    api.post("runs/log-parameter", run_id=run.id, key="optimizer", value="adam")
    api.post("runs/set-tag", run_id=run.id, key="stage", value="test")
    api.post(
        "runs/log-batch",
        run_id=run.id,
        params=[{"key": "depth", "value": "3"}],
        tags=[{"key": "team", "value": "blue"}],
        metrics=[
            {"key": "accuracy", "value": step / 10, "timestamp": now, "step": step}
            for step in range(3)
        ],
    )
    api.post("runs/update", run_id=run.id, status="FINISHED", end_time=now)
    found = api.get("runs/get", run_id=run.id)["run"]
    assert found["info"]["status"] == "FINISHED"
    data = {
        kind: {item["key"]: item["value"] for item in found["data"][kind]}
        for kind in ("params", "metrics", "tags")
    }
    assert data["params"] == {"optimizer": "adam", "depth": "3"}
    assert data["metrics"] == {"loss": run.loss, "accuracy": 0.2}
    assert data["tags"].items() >= {"stage": "test", "team": "blue"}.items()
    history = api.get("metrics/get-history", run_id=run.id, metric_key="accuracy")["metrics"]
    assert [(metric["step"], metric["value"]) for metric in history] == [(0, 0), (1, 0.1), (2, 0.2)]


def test_a_run_must_be_deleted_and_restored(shared: RunningStack) -> None:
    run = shared.log_run()
    search = {"experiment_ids": [run.experiment_id], "filter": "metrics.loss < 1"}
    shared.api.post("runs/delete", run_id=run.id)
    assert "runs" not in shared.api.post("runs/search", **search)
    shared.api.post("runs/restore", run_id=run.id)
    (found,) = shared.api.post("runs/search", **search)["runs"]
    assert found["info"]["run_id"] == run.id
    shared.expect(run)


def test_artifacts_must_be_listed_fetched_and_deleted_by_proxy(shared: RunningStack) -> None:
    run = shared.log_run()
    folder = run.key.rpartition("/")[0]
    other = f"{folder}/déjà vu/notes 1.txt"
    shared.api.artifact("PUT", other, CONTENT)
    assert shared.objects()[other] == len(CONTENT)
    listed = shared.api.get("artifacts/list", run_id=run.id, path="model")["files"]
    assert [(file["path"], file["is_dir"]) for file in listed] == [
        ("model/déjà vu", True),
        ("model/weights.bin", False),
    ]
    assert shared.api.artifact("GET", other).content == CONTENT
    shared.api.artifact("DELETE", run.key)
    assert run.key not in shared.objects()
    assert other in shared.objects()


def test_a_registered_model_must_keep_its_versions(shared: RunningStack) -> None:
    api, run, name = shared.api, shared.log_run(), f"e2e-{uuid.uuid4().hex}"
    source = api.get("runs/get", run_id=run.id)["run"]["info"]["artifact_uri"]
    api.post("registered-models/create", name=name)
    for number in ("1", "2"):
        created = api.post("model-versions/create", name=name, source=source, run_id=run.id)
        assert created["model_version"]["version"] == number
    api.post("registered-models/alias", name=name, alias="champion", version="2")
    found = api.get("registered-models/alias", name=name, alias="champion")
    assert found["model_version"]["run_id"] == run.id
    assert found["model_version"]["version"] == "2"


def lifecycle_stages(stack: RunningStack) -> dict[str, str]:
    """Return the lifecycle stage of every experiment in the database."""
    rows = stack.sql("SELECT experiment_id, lifecycle_stage FROM experiments")
    return dict(row.split("|") for row in rows)
