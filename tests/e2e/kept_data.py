"""Data of every kind that a backup must bring back, and all that a stack has, to compare."""

import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, Lock
from typing import Any

from .running import RunningStack
from .small import kept
from .tracking import Api

POINTS, LARGE = 200, 12_000_000
# MLflow accepts no more in one request.
MOST = 1000
# Artifacts of a run, by their path: an empty one, a large one, odd names.
ARTIFACTS: Mapping[str, bytes] = {
    "empty.txt": b"",
    "model/weights.bin": hashlib.sha256(b"seed").digest() * (LARGE // 32),
    "ünïcode name/with spaces/ä b.txt": "größe\n".encode(),
    "same as another.txt": "größe\n".encode(),
}
# One digest for each table: of all its rows, in any order.
DIGESTS = """
SELECT format(
  'SELECT %L, count(*), md5(string_agg(t::text, E''\\n'' ORDER BY t::text COLLATE "C")) FROM %I t',
  relname, relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname \\gexec
"""


def fill(stack: RunningStack, *, count: int = 3, points: int = POINTS) -> None:
    """Store runs with metrics, params, tags and artifacts, a deleted run, and a model."""
    api, now = stack.api, int(time.time() * 1000)
    experiment = api.post("experiments/create", name=f"kept é {now}")["experiment_id"]
    with ThreadPoolExecutor(4) as pool:
        create = partial(_run, api, experiment, now, points)
        runs = [*pool.map(create, range(count))]
    for path, content in ARTIFACTS.items():
        api.artifact("PUT", f"{experiment}/{runs[0]}/artifacts/{path}", content)
    api.artifact("PUT", f"{experiment}/{runs[2]}/artifacts/of a deleted run", b"kept")
    api.post("runs/delete", run_id=runs[2])
    model = f"model {now}"
    api.post("registered-models/create", name=model)
    source = f"mlflow-artifacts:/{experiment}/{runs[0]}/artifacts/model"
    api.post("model-versions/create", name=model, source=source, run_id=runs[0])
    api.post("registered-models/alias", name=model, alias="champion", version="1")


def _run(api: Api, experiment: str, now: int, count: int, number: int) -> str:
    info = api.post("runs/create", experiment_id=experiment, start_time=now)["run"]["info"]
    points = [
        {"key": "loss", "value": number / (step + 1), "timestamp": now, "step": step}
        for step in range(count)
    ]
    for first in range(0, count, MOST):
        api.post("runs/log-batch", run_id=info["run_id"], metrics=points[first : first + MOST])
    api.post("runs/log-parameter", run_id=info["run_id"], key="ñ", value=f"tab\t{number}\nline")
    api.post("runs/set-tag", run_id=info["run_id"], key="kind", value="\\. COPY x (y) FROM stdin;")
    found: str = info["run_id"]
    return found


def everything(stack: RunningStack) -> tuple[Any, ...]:
    """Return a digest of every table and of every artifact of a stack."""
    if "BACKEND_STORE" in stack.settings:
        found = kept(stack)
        return found.rows, sorted(found.runs), found.files
    client, bucket = stack.s3(), stack.bucket

    def digest(key: str) -> str:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
        return hashlib.sha256(body.read()).hexdigest()

    return stack.sql(DIGESTS), {key: digest(key) for key in sorted(stack.objects())}


def answers(stack: RunningStack) -> object:
    """Return what MLflow's clients see: runs with their metrics, and the artifacts of runs."""
    api = stack.api
    found = api.post("experiments/search", max_results=1000)["experiments"]
    ids = [each["experiment_id"] for each in found if each["name"].startswith("kept")]
    runs = api.post("runs/search", experiment_ids=ids, run_view_type="ALL", order_by=["run_id"])[
        "runs"
    ]
    content = {}
    for run in runs:
        run_id, experiment = run["info"]["run_id"], run["info"]["experiment_id"]
        if ("kind" in str(run["data"]["tags"])) and run["info"]["lifecycle_stage"] == "active":
            for path in _paths(api, run_id, ""):
                key = f"{experiment}/{run_id}/artifacts/{path}"
                content[path] = hashlib.sha256(api.artifact("GET", key).content).hexdigest()
    facts = [(run["info"]["run_id"], run["info"]["lifecycle_stage"], run["data"]) for run in runs]
    return facts, content


def _paths(api: Api, run_id: str, path: str) -> list[str]:
    listed = api.get("artifacts/list", run_id=run_id, path=path).get("files", [])
    return [
        name
        for file in listed
        for name in (_paths(api, run_id, file["path"]) if file["is_dir"] else [file["path"]])
    ]


class Writers:
    """Clients that log runs until they are stopped: an artifact first, then a metric.

    Attributes:
        acknowledged: Keys of the artifacts of finished runs, by run id.
        longest: Longest time between two of them, in seconds.
    """

    def __init__(self, stack: RunningStack, clients: int) -> None:
        self.acknowledged: dict[str, str] = {}
        self.longest, self._last = 0.0, time.monotonic()
        self._api, self._end, self._lock = stack.api, Event(), Lock()
        name = f"written {time.time()}"
        self._experiment = self._api.post("experiments/create", name=name)["experiment_id"]
        self._pool = ThreadPoolExecutor(clients)
        self._work = [self._pool.submit(self._write) for _ in range(clients)]

    def stop(self) -> None:
        """Wait until all clients have ended; none may have failed."""
        self._end.set()
        for each in self._work:
            each.result()
        self._pool.shutdown()

    def _write(self) -> None:
        while not self._end.is_set():
            info = self._api.post("runs/create", experiment_id=self._experiment)["run"]["info"]
            key = f"{self._experiment}/{info['run_id']}/artifacts/a.bin"
            self._api.artifact("PUT", key, info["run_id"].encode())
            self._api.post("runs/update", run_id=info["run_id"], status="FINISHED")
            with self._lock:
                self.acknowledged[info["run_id"]] = key
                now = time.monotonic()
                self.longest, self._last = max(self.longest, now - self._last), now
