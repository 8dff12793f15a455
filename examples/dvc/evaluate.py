"""Test the model, and add the result to the run that trained it."""

import json
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.metrics import r2_score


def main() -> None:
    """Log how well the model predicts data that it has not seen."""
    model = json.loads(Path("model/model.json").read_text(encoding="utf-8"))
    test = pd.read_csv("prepared/test.csv")
    predicted = test[[*model["coef"]]].mul(model["coef"]).sum(axis=1) + model["intercept"]
    score = float(r2_score(test["strength"], predicted))
    with mlflow.start_run(run_id=model["run_id"]):
        mlflow.log_metric("test_r2", score)
    Path("metrics.json").write_text(json.dumps({"test_r2": score}), encoding="utf-8")


if __name__ == "__main__":
    main()
