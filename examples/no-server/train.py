"""Log runs to files beside this script; no server is involved."""

# %% [markdown]
# MLflow keeps runs in a database, and artifacts in a folder. Without a server, both are files.

# %%
from pathlib import Path

import mlflow

HERE = Path(__file__).parent
EXPERIMENT = "example: no server"

mlflow.set_tracking_uri(f"sqlite:///{HERE / 'mlflow.db'}")
if mlflow.get_experiment_by_name(EXPERIMENT) is None:
    mlflow.create_experiment(EXPERIMENT, artifact_location=(HERE / "artifacts").as_uri())
mlflow.set_experiment(EXPERIMENT)

# %% [markdown]
# Gradient descent on f(x) = (x - 3)²: each step moves x against the slope 2 (x - 3).

# %%
for rate in (0.05, 0.2, 0.6):
    with mlflow.start_run(run_name=f"rate {rate}"):
        mlflow.log_param("rate", rate)
        x = 0.0
        for step in range(20):
            mlflow.log_metric("distance", abs(x - 3), step=step)
            x -= rate * 2 * (x - 3)
        mlflow.log_text(f"x = {x}\n", "result.txt")

# %% [markdown]
# The same client reads them back.

# %%
runs = mlflow.search_runs(order_by=["metrics.distance"], output_format="list")
for run in runs:
    print(f"rate {run.data.params['rate']}: distance {run.data.metrics['distance']:.2e}")
