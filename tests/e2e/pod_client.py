"""Log runs from a pod until `STOP` exists; print what the servers acknowledged, line by line.

Two threads use the official client, which sends again what a server did not answer. A third sends
each request once, on a connection of its own.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import mlflow
import requests

URL = sys.argv[1]
STOP = Path("/tmp/stop")  # noqa: S108 - of a pod, where nothing else can be written to
METRICS = 3


def say(*words: object) -> None:
    """Print a line, whole."""
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # noqa: T201


def log_runs() -> None:
    """Log a run after the other."""
    client = mlflow.MlflowClient(URL)
    while not STOP.exists():
        run = client.create_run("0").info.run_id
        for step in range(METRICS):
            client.log_metric(run, "loss", step / 8, step=step)
            say("metric", run, step)
        client.log_text(run, f"of {run}", "weights.txt")
        say("artifact", run)


def send_once() -> None:
    """Create runs without a second attempt."""
    while not STOP.exists():
        body = {"experiment_id": "0", "start_time": int(time.time() * 1000)}
        answer = requests.post(f"{URL}/api/2.0/mlflow/runs/create", json=body, timeout=30)
        answer.raise_for_status()
        say("run", answer.json()["run"]["info"]["run_id"])


def reported(work: Callable[[], None]) -> Callable[[], None]:
    """Return the same work, whose failure is printed like everything else."""

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever a user would see
            say("failed", work.__name__, repr(error))

    return run


mlflow.set_tracking_uri(URL)
threads = [Thread(target=reported(work)) for work in (log_runs, log_runs, send_once)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say("done")
