"""Clients that write without a pause, and remember what the server acknowledged."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

import requests

from .running import RunningStack
from .tracking import ARTIFACTS, MLFLOW
from .waiting import wait_until

CLIENTS = 2
METRICS = 3
# Seconds: after a failure, and until a client gives up a request.
PAUSE, TIMEOUT = 0.2, 6


class Acknowledged:
    """What a server has acknowledged to clients: runs, metrics and artifacts."""

    def __init__(self) -> None:
        self.runs: set[str] = set()
        # Run, name and value.
        self.metrics: set[tuple[str, str, float]] = set()
        # Digests by key.
        self.artifacts: dict[str, str] = {}
        # Number of requests that failed, and of runs of which everything was acknowledged.
        self.failed = self.complete = 0
        self._lock = Lock()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep the other clients out while the block runs."""
        with self._lock:
            yield

    def expect_in(self, stack: RunningStack) -> None:
        """Assert that a stack has all of it: rows in the database, bytes in S3."""
        assert not self.runs - {*stack.stored_runs()}
        rows = (row.split("|") for row in stack.sql("SELECT run_uuid, key, value FROM metrics"))
        assert not self.metrics - {(run, key, float(value)) for run, key, value in rows}
        client = stack.s3()
        for key, digest in self.artifacts.items():
            body = client.get_object(Bucket=stack.bucket, Key=key)["Body"].read()
            assert hashlib.sha256(body).hexdigest() == digest, key

    def wait_for_more(self, *, seconds: float) -> None:
        """Wait until a run that begins from now on is acknowledged with everything in it."""
        before = self.complete + CLIENTS
        wait_until(lambda: self.complete > before, seconds=seconds, what="clients can write again")

    def wait_for_failure(self, *, seconds: float) -> None:
        """Wait until a request fails."""
        before = self.failed
        wait_until(lambda: self.failed > before, seconds=seconds, what="a request fails")


class Client:
    """One client, which writes run after run."""

    def __init__(self, stack: RunningStack, known: Acknowledged, name: str) -> None:
        self._url, self._known, self._name = stack.url, known, name
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = stack.api.login
        self.number = 0

    def write(self) -> None:
        """Log a run with metrics and an artifact; stop at the first request that fails."""
        self.number += 1
        now = int(time.time() * 1000)
        created = self._post("create", experiment_id="0", start_time=now, run_name=self._name)
        run = str(created["run"]["info"]["run_id"])
        with self._known.changing():
            self._known.runs.add(run)
        for count in range(METRICS):
            metric = (run, f"loss-{count}", self.number / 8)
            self._post("log-metric", run_id=run, key=metric[1], value=metric[2], timestamp=now)
            with self._known.changing():
                self._known.metrics.add(metric)
        content = f"{run} {self.number}\n".encode() * 512
        key = f"0/{run}/artifacts/model/weights.bin"
        self._send("PUT", f"{ARTIFACTS}/{key}", data=content)
        with self._known.changing():
            self._known.artifacts[key] = hashlib.sha256(content).hexdigest()
            self._known.complete += 1

    def _post(self, endpoint: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        return self._send("POST", f"{MLFLOW}/runs/{endpoint}", json=body).json()

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        answer = self._session.request(method, self._url + path, timeout=TIMEOUT, **options)
        answer.raise_for_status()
        return answer


@contextmanager
def writing(stack: RunningStack) -> Iterator[Acknowledged]:
    """Let clients write while the block runs; yield what was acknowledged so far."""
    known, stop = Acknowledged(), Event()

    def work(name: str) -> None:
        client = Client(stack, known, name)
        while not stop.is_set():
            try:
                client.write()
            except requests.RequestException:
                with known.changing():
                    known.failed += 1
                stop.wait(PAUSE)

    threads = [Thread(target=work, args=(f"client-{count}",)) for count in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield known
    finally:
        stop.set()
        for thread in threads:
            thread.join()
