"""Much data: thousands of runs, and a metric with many points."""

import statistics

import requests

from bench.commands import seconds
from bench.load import Api, log_batches
from bench.stack import Stack

RUNS, POINTS = 5000, 100_000
SEARCHES = 10
PAGE = 25_000
SIZE = "SELECT pg_database_size(current_database());"
# Creating 5,000 runs by the API takes minutes on the plain stack, so every stack gets them by SQL:
# the same rows that the API would write for a run with a param, a metric and a name.
RUNS_SQL = """
CREATE TEMP TABLE made AS
SELECT n, md5('{experiment}-' || n) AS id, (n * 7919 % {count}) / {count}.0 AS loss
FROM generate_series(1, {count}) AS n;
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
    start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
SELECT id, 'run-' || n, 'LOCAL', '', '', 'bench', 'FINISHED', 1700000000000 + n,
    1700000000000 + n, '', 'active',
    'mlflow-artifacts:/{experiment}/' || id || '/artifacts', {experiment} FROM made;
INSERT INTO tags (key, value, run_uuid) SELECT 'mlflow.runName', 'run-' || n, id FROM made;
INSERT INTO params (key, value, run_uuid) SELECT 'model', 'model-' || n % 5, id FROM made;
INSERT INTO metrics (key, value, "timestamp", run_uuid, step, is_nan)
SELECT 'loss', loss, 1700000000000, id, 0, false FROM made;
INSERT INTO latest_metrics (key, value, "timestamp", run_uuid, step, is_nan)
SELECT 'loss', loss, 1700000000000, id, 0, false FROM made;
ANALYZE;
"""


def add_runs(stack: Stack, api: Api, count: int) -> str:
    """Create an experiment with runs, and return its id."""
    with api.session() as session:
        experiment = api.experiment(session, f"bench-{count}")
    stack.sql(RUNS_SQL.format(experiment=int(experiment), count=count))
    return experiment


def size(stack: Stack) -> int:
    """Return the size of the database in bytes."""
    return int(stack.sql(SIZE))


def search(api: Api, experiment: str) -> float:
    """Return the median seconds for a sorted and filtered page of 100 runs."""
    body = {
        "experiment_ids": [experiment],
        "filter": "params.model = 'model-1' and metrics.loss < 0.9",
        "order_by": ["metrics.loss DESC"],
        "max_results": 100,
    }
    with api.session() as session:
        return statistics.median(
            seconds(lambda: api.post(session, "runs/search", body)) for _ in range(SEARCHES)
        )


def add_points(api: Api) -> str:
    """Log a metric with many points, and return the id of its run."""
    with api.session() as session:
        run = api.run(session)
        log_batches(api, session, run, 0, POINTS // 1000)
    return run


def history(api: Api, run: str) -> float:
    """Return the seconds for all pages of a metric's history."""
    with api.session() as session:
        return seconds(lambda: read_history(api, session, run))


def read_history(api: Api, session: requests.Session, run: str) -> None:
    """Read all pages of a metric's history."""
    query = {"run_id": run, "metric_key": "loss", "max_results": str(PAGE)}
    count, token = 0, "first"
    while token:
        page = api.get(session, "metrics/get-history", query)
        count += len(page["metrics"])
        token = query["page_token"] = page.get("next_page_token", "")
    if count != POINTS:
        raise RuntimeError(f"the history has {count} points instead of {POINTS}")
