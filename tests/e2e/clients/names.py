"""Odd names: spaces, other alphabets, and characters with a meaning in URLs."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from .step import Seen, read

ODD = (
    "two words.txt",
    "größe 大きさ.txt",
    "e\u0301 as two letters.txt",
    "a+b=c&d;e,f.txt",
    "100%.txt",
    "(1) [2] {3} <4> 'q' \"p\" `t` ^|~$!@*.txt",
    "trailing dot.",
    ".hidden",
    "🙂.txt",
)
# Names as they reach the server: MLflow's client does not quote URLs.
CUT = {"what?.txt": "what", "issue #1.txt": "issue ", "%41.txt": "A.txt"}
FOLDERS = ("", "plain", "ein Ordner/größe 100%/a+b")


def artifact_names(folder: Path) -> Seen:
    """Log a file with each odd name into odd folders; download all, and some individually."""
    experiment = mlflow.create_experiment(f"Größe #1: 100% + a/b? {uuid.uuid4().hex}")
    with mlflow.start_run(experiment_id=experiment) as run:
        pass
    run_id = run.info.run_id
    for name in (*ODD, *CUT):
        for below in FOLDERS:
            (folder / name).write_text(f"{below}/{name}".lstrip("/"), encoding="utf-8")
            mlflow.log_artifact(str(folder / name), below or None, run_id)
    (folder / "copy").mkdir()
    mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(folder / "copy"))
    return {
        "prefix": f"{experiment}/{run_id}/artifacts/",
        "listed": sorted(listed(run_id)),
        "all": {path: content.decode() for path, content in read(folder / "copy").items()},
        "alone": {name: alone(run_id, f"{FOLDERS[-1]}/{name}") for name in (*ODD, *CUT)},
    }


def listed(run_id: str, below: str | None = None) -> Iterator[str]:
    """Yield the paths of all artifacts of a run."""
    for file in MlflowClient().list_artifacts(run_id, below):
        if file.is_dir:
            yield from listed(run_id, file.path)
        else:
            yield file.path


def alone(run_id: str, path: str) -> str:
    """Download one file and return its content, or "" if the client does not find it."""
    try:
        back = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)
    except MlflowException:
        return ""
    return Path(back).read_text(encoding="utf-8")


def other_names(folder: Path) -> Seen:
    """Give odd names to everything that can have one, and find it by name."""
    del folder
    client = MlflowClient()
    odd = f"Größe #1? 100% + 'a' \"b\" & 大 🙂 {uuid.uuid4().hex}"
    experiment = client.create_experiment(odd)
    run = client.create_run(experiment, run_name=odd)
    run_id = run.info.run_id
    for key in ("train/loss: a b", "größe", "大きさ-1"):
        client.log_metric(run_id, key, 0.5)
        client.log_param(run_id, key, odd)
        client.set_tag(run_id, key, odd)
    client.create_registered_model(odd, description=odd)
    version = client.create_model_version(odd, f"{run.info.artifact_uri}/model", run_id)
    client.set_model_version_tag(odd, version.version, "größe", odd)
    found = client.get_run(run_id)
    tags = found.data.tags
    return {
        "odd": odd,
        "run_id": run_id,
        "experiment_id": experiment,
        "found": client.get_experiment_by_name(odd).experiment_id,
        "run_name": found.info.run_name,
        "metrics": found.data.metrics,
        "params": found.data.params,
        "tags": {key: tag for key, tag in tags.items() if not key.startswith("mlflow.")},
        "model": client.get_registered_model(odd).description,
        "version_tag": client.get_model_version(odd, version.version).tags["größe"],
    }
