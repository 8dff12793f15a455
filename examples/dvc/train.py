"""Train a model in an MLflow run that is tagged with the hashes of its data."""

import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import yaml
from sklearn.linear_model import Ridge

DATA, TARGET = Path("prepared/train.csv"), Path("model")
TAGGED = ("data/measurements.csv", "prepared")


def main() -> None:
    """Train, and store the model with the id of its run."""
    params = read_yaml("params.yaml")["train"]
    train = pd.read_csv(DATA)
    features = train.drop(columns="strength")
    mlflow.set_experiment("dvc example")
    with mlflow.start_run() as run:
        mlflow.log_params(params)
        mlflow.set_tags({f"dvc.{path}": md5 for path, md5 in hashes().items() if path in TAGGED})
        model = Ridge(alpha=params["alpha"]).fit(features, train["strength"])
        mlflow.log_metric("train_r2", model.score(features, train["strength"]))
    fitted = dict(zip(features.columns, model.coef_.tolist(), strict=True))
    text = json.dumps({"run_id": run.info.run_id, "coef": fitted, "intercept": model.intercept_})
    TARGET.mkdir(exist_ok=True)
    (TARGET / "model.json").write_text(text, encoding="utf-8")


def hashes() -> dict[str, str]:
    """Return the MD5 hash of everything that the finished stages used and made."""
    stages = read_yaml("dvc.lock")["stages"].values()
    files = [file for stage in stages for file in (*stage["deps"], *stage.get("outs", ()))]
    return {file["path"]: file["md5"] for file in files}


def read_yaml(name: str) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(Path(name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
