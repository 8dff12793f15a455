"""Log a run with a metric and an artifact, read both back, and delete the run."""

import configparser
import os
from pathlib import Path

login = configparser.ConfigParser(interpolation=None)
if login.read(Path(os.environ["SECRETS_DIR"]) / "basic_auth.ini"):
    section = login["mlflow"]
    os.environ["MLFLOW_TRACKING_USERNAME"] = section["admin_username"].replace("%%", "%")
    os.environ["MLFLOW_TRACKING_PASSWORD"] = section["admin_password"].replace("%%", "%")

import mlflow  # noqa: E402 - reads the environment

TEXT = "goes in and comes back"

mlflow.set_tracking_uri("http://mlflow:5000")
experiment = mlflow.set_experiment("helm test").experiment_id
with mlflow.start_run() as run:
    mlflow.log_metric("metric", 0.5)
    mlflow.log_text(TEXT, "artifact.txt")
found = mlflow.get_run(run.info.run_id)
if found.data.metrics != {"metric": 0.5}:
    raise SystemExit(f"the metric came back as {found.data.metrics}")
if (text := mlflow.artifacts.load_text(f"{found.info.artifact_uri}/artifact.txt")) != TEXT:
    raise SystemExit(f"the artifact came back as {text!r}")
mlflow.delete_run(run.info.run_id)
print(f"run {run.info.run_id} of experiment {experiment}: metric and artifact came back")
