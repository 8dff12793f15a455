"""Models that are registered to be served: run as a program with the official client."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from .running import RunningStack
from .tool import CHECKOUT, environment

# Names of registered models; the first cannot be the name of a service.
LINE, BROKEN, LACKING = "price per m²", "broken", "lacking"
CLIENT = "mlflow-skinny==3.17.2"
# The second version of LINE: a model of any kind, as code.
TRIPLE = """
import mlflow

class Triple(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [value * 3 for value in model_input["x"]]

mlflow.models.set_model(Triple())
"""


def register(stack: RunningStack, folder: Path, login: tuple[str, str]) -> list[float]:
    """Register the models; return the predictions of the first for its input example."""
    (folder / "triple.py").write_text(TRIPLE, encoding="utf-8")
    given = {"MLFLOW_TRACKING_USERNAME": login[0], "MLFLOW_TRACKING_PASSWORD": login[1]}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.registered", stack.url, str(folder / "triple.py")],
        cwd=CHECKOUT,
        env=environment(**given, MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(url: str, code: str) -> None:
    """Register two versions of LINE, only one with an input example, and those that fail."""
    import mlflow
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    mlflow.set_tracking_uri(url)
    inputs = pd.DataFrame({"x": [0.5, 1.0, 2.5]})
    model = LinearRegression().fit(inputs, inputs["x"] * 2)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model,
            name="model",
            input_example=inputs,
            pip_requirements=[CLIENT, *map(pinned, ("scikit-learn", "skops"))],
            registered_model_name=LINE,
        )
        missing = Path(code).with_name("missing.py")
        missing.write_text(f"import skops\n{TRIPLE}", encoding="utf-8")
        for name, file, requirements in (
            (LINE, code, [CLIENT]),
            (BROKEN, code, [CLIENT, "skops==0.0.0.1"]),
            (LACKING, str(missing), [CLIENT]),
        ):
            mlflow.pyfunc.log_model(
                python_model=file,
                name="model",
                pip_requirements=requirements,
                registered_model_name=name,
            )
    mlflow.MlflowClient().set_registered_model_alias(LINE, "champion", "1")
    sys.stdout.write(json.dumps([float(value) for value in model.predict(inputs)]))


def pinned(package: str) -> str:
    """Return the requirement of an installed package."""
    return f"{package}=={version(package)}"


if __name__ == "__main__":
    main(*sys.argv[1:])
