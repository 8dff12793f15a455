"""Models of scikit-learn and of plain Python: logged, loaded by every URI, evaluated."""

from functools import cache
from pathlib import Path

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

from .step import EXPERIMENT, Seen

MODEL = "official classifier"
# Otherwise MLflow starts a Python process for each logged model to infer its imports.
NEEDS = ["scikit-learn", "skops"]


@cache
def data() -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Return a column of measurements and one of two overlapping classes."""
    measures = pd.DataFrame({"size": [float(number % 37) for number in range(60)]})
    classes = pd.Series([int(number % 37 + number % 7 > 20) for number in range(60)], name="kind")
    return measures, classes


@cache
def fitted() -> LogisticRegression:
    """Return a classifier fitted to the data."""
    return LogisticRegression(C=0.5).fit(*data())


def predicted(model: object) -> list[int]:
    """Return a model's predictions for the data."""
    return [int(kind) for kind in model.predict(data()[0])]  # type: ignore[attr-defined]


def autolog(folder: Path) -> Seen:
    """Fit a model with autologging."""
    del folder
    mlflow.set_experiment(EXPERIMENT)
    mlflow.sklearn.autolog(silent=True)
    try:
        model = LogisticRegression(C=0.25).fit(*data())
    finally:
        mlflow.sklearn.autolog(disable=True)
    run = mlflow.last_active_run()
    model_id = run.outputs.model_outputs[0].model_id
    logged = mlflow.sklearn.load_model(f"models:/{model_id}")
    return {
        "run_id": run.info.run_id,
        "model_id": model_id,
        "params": run.data.params,
        "score": run.data.metrics["training_score"],
        "accuracy": float(model.score(*data())),
        "files": [file.path for file in MlflowClient().list_artifacts(run.info.run_id)],
        "inputs": [given.dataset.name for given in run.inputs.dataset_inputs],
        "coefficients": model.coef_.tolist(),
        "loaded": logged.coef_.tolist(),
    }


def log_model(folder: Path) -> Seen:
    """Log and register a model as in MLflow 3, and load it by each of its URIs."""
    del folder
    mlflow.set_experiment(EXPERIMENT)
    measures, _ = data()
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            fitted(),
            name="classifier",
            input_example=measures.head(3),
            registered_model_name=MODEL,
            pip_requirements=NEEDS,
        )
    version = logged.registered_model_version
    MlflowClient().set_registered_model_alias(MODEL, "best", str(version))
    uris = {
        "its id": logged.model_uri,
        "its run": f"runs:/{run.info.run_id}/classifier",
        "its name and version": f"models:/{MODEL}/{version}",
        "its alias": f"models:/{MODEL}@best",
    }
    return {
        "run_id": run.info.run_id,
        "model_id": logged.model_id,
        "experiment_id": run.info.experiment_id,
        "version": version,
        "predicted": predicted(fitted()),
        "sklearn": {by: predicted(mlflow.sklearn.load_model(uri)) for by, uri in uris.items()},
        "pyfunc": {by: predicted(mlflow.pyfunc.load_model(uri)) for by, uri in uris.items()},
        "columns": mlflow.models.get_model_info(logged.model_uri).signature.inputs.input_names(),
    }


class Scale(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model that multiplies by the number in one of its artifact files."""

    def load_context(self, context: "mlflow.pyfunc.PythonModelContext") -> None:
        """Read the file that was stored with the model."""
        self.factor = float(Path(context.artifacts["factor"]).read_text(encoding="ascii"))

    def predict(self, context: object, model_input: list[float]) -> list[float]:
        """Scale numbers."""
        del context
        return [number * self.factor for number in model_input]


def log_function(folder: Path) -> Seen:
    """Log a Python function model with a file, and call it."""
    mlflow.set_experiment(EXPERIMENT)
    factor = folder / "factor.txt"
    factor.write_text("2.5", encoding="ascii")
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="scale",
            python_model=Scale(),
            artifacts={"factor": str(factor)},
            pip_requirements=[],
        )
    factor.unlink()
    return {
        "model_id": logged.model_id,
        "scaled": mlflow.pyfunc.load_model(logged.model_uri).predict([1.0, 4.0]),
    }


def evaluate(folder: Path) -> Seen:
    """Evaluate the registered model on a data set that the run records."""
    mlflow.set_experiment(EXPERIMENT)
    measures, classes = data()
    table = mlflow.data.from_pandas(measures.assign(kind=classes), targets="kind", name="leaves")
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            f"models:/{MODEL}@best", table, model_type="classifier", evaluators=["default"]
        )
        mlflow.log_table({"size": [1, 2], "kind": [0, 1]}, "rows.json")
    found = MlflowClient().get_run(run.info.run_id)
    copy = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=str(folder))
    return {
        "run_id": run.info.run_id,
        "accuracy": float(result.metrics["accuracy_score"]),
        "expected": float(fitted().score(measures, classes)),
        "stored": found.data.metrics,
        "inputs": [given.dataset.name for given in found.inputs.dataset_inputs],
        "digest": table.digest,
        "plots": sorted(path.name for path in Path(copy).glob("*.png")),
        "table": mlflow.load_table("rows.json", [run.info.run_id])["kind"].tolist(),
    }
