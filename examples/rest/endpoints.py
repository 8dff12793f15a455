"""Use MLflow over HTTP: every endpoint for experiments, runs, artifacts and registered models."""

# %%
import os
import time

import requests

SERVER = os.environ["MLFLOW_TRACKING_URI"]
EXPERIMENT, MODEL = "example: REST", "example-rest"
session = requests.Session()
if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
    session.auth = (user, os.environ["MLFLOW_TRACKING_PASSWORD"])


def now() -> int:
    """Return the time as MLflow counts it: milliseconds since 1970."""
    return int(time.time() * 1000)


def call(method: str, path: str, **options) -> requests.Response:
    """Send a request, print its status, and return the answer."""
    answer = session.request(method, f"{SERVER}/api/2.0/{path}", timeout=30, **options)
    print(f"{answer.status_code} {method:6} {path}")
    return answer


def api(method: str, path: str, /, **values) -> dict:
    """Call an endpoint: GET sends values in the URL, every other method as JSON."""
    form = {"params": values} if method == "GET" else {"json": values}
    answer = call(method, f"mlflow/{path}", **form)
    answer.raise_for_status()
    return answer.json()


# %% [markdown]
# Experiments: create, look at, rename, tag, delete and restore. A missing one answers 404.

# %%
answer = call("GET", "mlflow/experiments/get-by-name", params={"experiment_name": EXPERIMENT})
if answer.status_code == 404:
    experiment = api("POST", "experiments/create", name=f"{EXPERIMENT} (new)")["experiment_id"]
    api("POST", "experiments/update", experiment_id=experiment, new_name=EXPERIMENT)
else:
    experiment = answer.json()["experiment"]["experiment_id"]
tag = {"key": "made-with", "value": "requests"}
api("POST", "experiments/set-experiment-tag", experiment_id=experiment, **tag)
api("POST", "experiments/delete-experiment-tag", experiment_id=experiment, key="made-with")
api("POST", "experiments/set-experiment-tag", experiment_id=experiment, **tag)
api("POST", "experiments/delete", experiment_id=experiment)
api("POST", "experiments/restore", experiment_id=experiment)
print(api("GET", "experiments/get", experiment_id=experiment)["experiment"]["tags"])
api("POST", "experiments/search", filter=f"name = '{EXPERIMENT}'", max_results=10)

# %% [markdown]
# Runs: params are logged once, metrics have a value at each step, tags can change.

# %%
created = api("POST", "runs/create", experiment_id=experiment, run_name="plain", start_time=now())
run = created["run"]["info"]["run_id"]
api("POST", "runs/log-parameter", run_id=run, key="rate", value="0.1")
for step in range(3):
    value = {"key": "loss", "value": 1 / (step + 1), "step": step, "timestamp": now()}
    api("POST", "runs/log-metric", run_id=run, **value)
api("POST", "runs/set-tag", run_id=run, key="stage", value="draft")
api("POST", "runs/set-tag", run_id=run, key="obsolete", value="yes")
api("POST", "runs/delete-tag", run_id=run, key="obsolete")
api(
    "POST",
    "runs/log-batch",
    run_id=run,
    params=[{"key": "depth", "value": "3"}],
    metrics=[{"key": "accuracy", "value": 0.9, "step": 0, "timestamp": now()}],
    tags=[{"key": "stage", "value": "final"}],
)
api("POST", "runs/update", run_id=run, status="FINISHED", end_time=now())

# %%
info = api("GET", "runs/get", run_id=run)["run"]["info"]
history = api("GET", "metrics/get-history", run_id=run, metric_key="loss")["metrics"]
print([(point["step"], round(point["value"], 2)) for point in history])
query = {"experiment_ids": [experiment], "filter": "metrics.loss < 0.5", "max_results": 5}
print(len(api("POST", "runs/search", **query)["runs"]), "runs match the filter")
api("POST", "runs/delete", run_id=run)
api("POST", "runs/restore", run_id=run)

# %% [markdown]
# Artifacts: files are stored and fetched under the path of the run; another endpoint lists them.

# %%
folder = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
files = f"mlflow-artifacts/artifacts/{folder}"
call("PUT", f"{files}/notes/hello.txt", data=b"sent by HTTP\n").raise_for_status()
call("PUT", f"{files}/notes/draft.txt", data=b"to be deleted\n").raise_for_status()
call("DELETE", f"{files}/notes/draft.txt").raise_for_status()
print(call("GET", f"{files}/notes/hello.txt").text.strip())
print(api("GET", "artifacts/list", run_id=run, path="notes")["files"])

# %% [markdown]
# The registry: a model has versions, which have tags and aliases.

# %%
if call("GET", "mlflow/registered-models/get", params={"name": MODEL}).ok:
    api("DELETE", "registered-models/delete", name=MODEL)
api("POST", "registered-models/create", name=f"{MODEL}-new")
api("POST", "registered-models/rename", name=f"{MODEL}-new", new_name=MODEL)
api("PATCH", "registered-models/update", name=MODEL, description="made without a client")
api("POST", "registered-models/set-tag", name=MODEL, key="team", value="blue")
api("DELETE", "registered-models/delete-tag", name=MODEL, key="team")
for _ in range(2):
    api("POST", "model-versions/create", name=MODEL, source=info["artifact_uri"], run_id=run)
first, second = ({"name": MODEL, "version": version} for version in ("1", "2"))
api("PATCH", "model-versions/update", **first, description="from a run")
api("POST", "model-versions/set-tag", **first, key="checked", value="yes")
api("DELETE", "model-versions/delete-tag", **first, key="checked")
api("POST", "registered-models/alias", **first, alias="champion")
api("POST", "registered-models/alias", **second, alias="old")
api("DELETE", "registered-models/alias", name=MODEL, alias="old")
api("DELETE", "model-versions/delete", **second)

# %%
print(api("GET", "model-versions/get-download-uri", **first)["artifact_uri"])
api("GET", "registered-models/search", filter=f"name = '{MODEL}'")
api("GET", "model-versions/search", filter=f"name = '{MODEL}'")
api("GET", "model-versions/get", **first)
api("POST", "registered-models/get-latest-versions", name=MODEL)
champion = api("GET", "registered-models/alias", name=MODEL, alias="champion")["model_version"]
print("champion is version", champion["version"], "of run", champion["run_id"])
