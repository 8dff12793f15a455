"""Models that are registered to be served: run as a program with the official client."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .running import RunningStack
from .tool import CHECKOUT, environment

# Names of registered models; the second is no name of a service.
LINE, ODD, BROKEN = "line", "Längen von Wörtern", "broken"
CLIENT = "mlflow-skinny==3.17.2"
WORDS = """
import mlflow

class Lengths(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [len(word) for word in model_input["word"]]

mlflow.models.set_model(Lengths())
"""


def register(stack: RunningStack, folder: Path, login: tuple[str, str]) -> Mapping[str, Any]:
    """Register the models; return the predictions for the input example of LINE, by version."""
    (folder / "lengths.py").write_text(WORDS, encoding="utf-8")
    given = {"MLFLOW_TRACKING_USERNAME": login[0], "MLFLOW_TRACKING_PASSWORD": login[1]}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.registered", stack.url, str(folder / "lengths.py")],
        cwd=CHECKOUT,
        env=environment(**given, MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(url: str, code: str) -> None:
    """Register two versions of LINE, and one of each other model."""
    import mlflow
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    mlflow.set_tracking_uri(url)
    inputs = pd.DataFrame({"x": [0.5, 1.0, 2.5]})
    needed = [CLIENT, *(f"{name}=={version(name)}" for name in ("scikit-learn", "skops"))]
    predictions = {}
    for number, factor in (("1", 2), ("2", 3)):
        model = LinearRegression().fit(inputs, inputs["x"] * factor)
        with mlflow.start_run():
            mlflow.sklearn.log_model(
                model,
                name="model",
                input_example=inputs,
                pip_requirements=needed,
                registered_model_name=LINE,
            )
        predictions[number] = [float(value) for value in model.predict(inputs)]
    mlflow.MlflowClient().set_registered_model_alias(LINE, "champion", "1")
    for name, requirements in ((ODD, [CLIENT]), (BROKEN, [CLIENT, "skops==0.0.0.1"])):
        with mlflow.start_run():
            mlflow.pyfunc.log_model(
                python_model=code,
                name="model",
                pip_requirements=requirements,
                registered_model_name=name,
            )
    sys.stdout.write(json.dumps(predictions))


if __name__ == "__main__":
    main(*sys.argv[1:])
