"""Read metric histories back, search runs, and log a report."""

# %%
import math
from html import escape

import mlflow
from mlflow.entities import Metric, Run

EXPERIMENT = "example: history"
mlflow.set_experiment(EXPERIMENT)
client = mlflow.MlflowClient()
STEPS = 40

# %% [markdown]
# Four training curves. `log_batch` sends a whole history in one request.

# %%
for rate in (0.02, 0.05, 0.1, 0.2):
    with mlflow.start_run(run_name=f"rate {rate}", tags={"kind": "training"}) as run:
        mlflow.log_param("rate", rate)
        curve = [math.exp(-rate * step) + 0.1 * rate * step for step in range(STEPS)]
        start = run.info.start_time
        points = [Metric("loss", loss, start + at, at) for at, loss in enumerate(curve)]
        client.log_batch(run.info.run_id, metrics=points)

# %% [markdown]
# A search filters and sorts on the server. It knows the last value of each metric.

# %%
found = mlflow.search_runs(
    filter_string="tags.kind = 'training' and metrics.loss < 0.9",
    order_by=["metrics.loss"],
    output_format="list",
)

# %% [markdown]
# The lowest value is in the history, which is read run by run.


# %%
def history(run: Run) -> list[float]:
    """Return every value of the loss, in order of its step."""
    points = client.get_metric_history(run.info.run_id, "loss")
    return [point.value for point in sorted(points, key=lambda point: point.step)]


def sparkline(values: list[float]) -> str:
    """Return a curve as SVG."""
    points = " ".join(f"{4 * at},{40 - 40 * value:.1f}" for at, value in enumerate(values))
    line = f'<polyline points="{points}" fill="none" stroke="steelblue" stroke-width="2"/>'
    return f'<svg width="{4 * len(values)}" height="42">{line}</svg>'


rows = ""
for run in found:
    values = history(run)
    lowest = min(values)
    cells = (escape(run.info.run_name), f"{lowest:.3f} at step {values.index(lowest)}")
    rows += f"<tr><td>{'</td><td>'.join(cells)}</td><td>{sparkline(values)}</td></tr>\n"
    print(*cells, sep=": lowest loss ")

# %%
head = "<tr><th>run</th><th>lowest loss</th><th>history</th></tr>"
page = f"<h1>{escape(EXPERIMENT)}</h1>\n<table>\n{head}\n{rows}</table>\n"
with mlflow.start_run(run_name="report", tags={"kind": "report"}):
    mlflow.log_text(page, "report.html")
    mlflow.log_metric("runs", len(found))
