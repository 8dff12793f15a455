"""Log a run on the stack on the default port, and check later that its data is unchanged.

runs.py log FILE: log a run with a metric and an artifact, and write all data of the server to FILE.
runs.py compare FILE: if the data of the server differs from FILE, print the diff and exit with 1.
"""

import difflib
import hashlib
import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

SERVER = "http://127.0.0.1:5000"
API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
CONTENT = bytes(range(256)) * 1024
ALL = "ALL"
MAX_RESULTS = 1000

# Proxies in the environment are for other servers.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(method: str, path: str, content: bytes | None = None, kind: str = "") -> bytes:
    """Send one request and return the body of the response; exit unless it succeeds."""
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(SERVER + path, content, headers, method=method)  # noqa: S310
    with OPENER.open(request, timeout=30) as answer:
        body: bytes = answer.read()
    return body


def post(endpoint: str, **body: object) -> dict[str, Any]:
    """Call an endpoint of MLflow."""
    sent = json.dumps(body).encode()
    found: dict[str, Any] = json.loads(send("POST", f"{API}/{endpoint}", sent, "application/json"))
    return found


def log() -> None:
    """Log a run with a metric and an artifact."""
    experiment = post("experiments/create", name="before the tests")["experiment_id"]
    now = int(time.time() * 1000)
    run = post("runs/create", experiment_id=experiment, start_time=now)["run"]["info"]["run_id"]
    post("runs/log-metric", run_id=run, key="loss", value=0.25, timestamp=now)
    path = f"{ARTIFACTS}/{experiment}/{run}/artifacts/weights.bin"
    send("PUT", path, CONTENT, "application/octet-stream")
    post("runs/update", run_id=run, status="FINISHED", end_time=now)


def state() -> dict[str, Any]:
    """Return all experiments, all runs, and a digest of every artifact of a run."""
    found = post("experiments/search", max_results=MAX_RESULTS, view_type=ALL)["experiments"]
    experiments = sorted(found, key=lambda experiment: str(experiment["experiment_id"]))
    ids = [experiment["experiment_id"] for experiment in experiments]
    searched = post(
        "runs/search", experiment_ids=ids, run_view_type=ALL, max_results=MAX_RESULTS
    ).get("runs", [])
    runs = sorted(searched, key=lambda run: str(run["info"]["run_id"]))
    return {
        "experiments": experiments,
        "runs": runs,
        "artifacts": {run["info"]["run_id"]: artifacts(run) for run in runs},
    }


def artifacts(run: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each file at the top of a run's artifacts."""
    info = run["info"]
    folder = f"{info['experiment_id']}/{info['run_id']}/artifacts"
    listed = json.loads(send("GET", f"{ARTIFACTS}?path={folder}")).get("files", [])
    contents = {
        file["path"]: send("GET", f"{ARTIFACTS}/{folder}/{file['path']}") for file in listed
    }
    return {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}


def text() -> str:
    """Return the data of the server as text, with one value per line."""
    return json.dumps(state(), indent=1, sort_keys=True) + "\n"


def main(command: str, file: Path) -> int:
    """Log a run and save the data of the server, or compare it with the saved data."""
    if command == "log":
        log()
        file.write_text(text(), encoding="utf-8")
        return 0
    was, now = file.read_text(encoding="utf-8"), text()
    sys.stdout.writelines(
        difflib.unified_diff(
            was.splitlines(keepends=True), now.splitlines(keepends=True), "before", "after"
        )
    )
    return int(was != now)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
