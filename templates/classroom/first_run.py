"""Log a first run: a parameter, a metric for each step, and a file.

    python first_run.py

It needs MLflow's client (pip install mlflow-skinny) and knows the server, user and password.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

STEPS = 20
# Variables that MLflow's client reads.
EXPERIMENT, CERTIFICATES = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_SERVER_CERT_PATH"


def main(seat: dict[str, Any]) -> int:
    """Log a run; return 0 if that worked, 1 otherwise.

    Args:
        seat: The `variables` to set, the `client` to install, and `certificates`: the name of the
            file next to this program that the server is verified with, empty if none is needed.
    """
    os.environ.update(seat["variables"])
    if seat["certificates"]:
        os.environ[CERTIFICATES] = str(Path(__file__).absolute().with_name(seat["certificates"]))
    try:
        import mlflow
    except ModuleNotFoundError:
        print(f"MLflow is not installed here: pip install {seat['client']}", file=sys.stderr)
        return 1
    experiment = mlflow.set_experiment(os.environ.get(EXPERIMENT, "first-run"))
    with mlflow.start_run(run_name="first-run") as run:
        mlflow.log_param("learning_rate", 0.2)
        for step in range(STEPS):
            mlflow.log_metric("loss", math.exp(-0.2 * step), step=step)
        mlflow.log_text("Logged from this computer.\n", "hello.txt")
    server = seat["variables"]["MLFLOW_TRACKING_URI"]
    print(f"{server}/#/experiments/{experiment.experiment_id}/runs/{run.info.run_id}")
    return 0
