"""Load on MLflow's REST API, as its clients cause it."""

import multiprocessing
import secrets
import signal
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

import requests

from bench.commands import seconds
from bench.processes import MEBIBYTE
from bench.stack import BUCKET, S3

WARM_UP, REQUESTS = 50, 400
CLIENTS, REQUESTS_PER_CLIENT, WARM_UP_PER_CLIENT = 8, 250, 10
BATCHES, BATCH = 20, 1000
SEARCHES = 30
TRANSFERS = 4
ARTIFACT = 64 * MEBIBYTE
TIMEOUT = 120

# An answer of the API.
Answer = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """A client of the REST API; each process needs its own.

    Attributes:
        url: Address of MLflow.
        login: User name and password, if MLflow asks for them.
    """

    url: str
    login: tuple[str, str] | None

    def session(self) -> requests.Session:
        """Return a new connection."""
        session = requests.Session()
        session.trust_env = False
        session.auth = self.login
        return session

    def post(self, session: requests.Session, path: str, body: Mapping[str, object]) -> Answer:
        """Post a request and return the answer."""
        answer = session.post(f"{self.url}/api/2.0/mlflow/{path}", json=body, timeout=TIMEOUT)
        answer.raise_for_status()
        return dict(answer.json())

    def get(self, session: requests.Session, path: str, query: Mapping[str, str]) -> Answer:
        """Get an answer."""
        url = f"{self.url}/api/2.0/mlflow/{path}"
        answer = session.get(url, params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        return dict(answer.json())

    def experiment(self, session: requests.Session, name: str) -> str:
        """Create an experiment and return its id."""
        made = self.post(session, "experiments/create", {"name": name})
        return str(made["experiment_id"])

    def run(self, session: requests.Session, experiment: str = "0") -> str:
        """Create a run and return its id."""
        made = self.post(session, "runs/create", {"experiment_id": experiment})
        return str(made["run"]["info"]["run_id"])

    def log_metrics(self, session: requests.Session, run: str, count: int) -> None:
        """Log values of a metric, one request each."""
        for step in range(count):
            body = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 0, "step": step}
            self.post(session, "runs/log-metric", body)


def one_client(api: Api) -> float:
    """Return how many metrics per second one client logs."""
    with api.session() as session:
        run = api.run(session)
        api.log_metrics(session, run, WARM_UP)
        return REQUESTS / seconds(lambda: api.log_metrics(session, run, REQUESTS))


def many_clients(api: Api) -> float:
    """Return how many metrics per second several clients log together.

    Each is a process: threads of one would measure Python's interpreter lock.
    """
    context = multiprocessing.get_context("fork")
    barrier, times = context.Barrier(CLIENTS, timeout=TIMEOUT), context.SimpleQueue()
    clients = [context.Process(target=client, args=(api, barrier, times)) for _ in range(CLIENTS)]
    try:
        for one in clients:
            one.start()
        for one in clients:
            one.join()
    finally:
        for one in clients:
            if one.pid:
                one.kill()
    if any(one.exitcode for one in clients):
        raise RuntimeError("a client failed")
    found: list[tuple[float, float]] = [times.get() for _ in clients]
    taken = max(end for _, end in found) - min(start for start, _ in found)
    return CLIENTS * REQUESTS_PER_CLIENT / taken


def client(api: Api, barrier: Barrier, times: "SimpleQueue[tuple[float, float]]") -> None:
    """Log metrics when all clients are ready; put when it began and ended."""
    # Ctrl-C reaches every process of the terminal; the parent ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with api.session() as session:
        run = api.run(session)
        api.log_metrics(session, run, WARM_UP_PER_CLIENT)
        barrier.wait()
        start = time.perf_counter()
        api.log_metrics(session, run, REQUESTS_PER_CLIENT)
        times.put((start, time.perf_counter()))


def batches(api: Api) -> float:
    """Return how many metrics per second one client logs in batches."""
    with api.session() as session:
        run = api.run(session)
        log_batches(api, session, run, 0, 2)
        return BATCHES * BATCH / seconds(lambda: log_batches(api, session, run, 2, BATCHES))


def log_batches(api: Api, session: requests.Session, run: str, first: int, count: int) -> None:
    """Log batches of points of one metric."""
    for number in range(first, first + count):
        metrics = [
            {"key": "loss", "value": 0.5, "timestamp": 0, "step": number * BATCH + step}
            for step in range(BATCH)
        ]
        api.post(session, "runs/log-batch", {"run_id": run, "metrics": metrics})


def searches(api: Api, experiment: str) -> float:
    """Return how many times per second one client gets a page of 100 runs."""
    body = {"experiment_ids": [experiment], "max_results": 100}
    with api.session() as session:
        api.post(session, "runs/search", body)
        taken = seconds(lambda: [api.post(session, "runs/search", body) for _ in range(SEARCHES)])
    return SEARCHES / taken


def through_server(api: Api) -> tuple[float, float]:
    """Return MB per second of an artifact into the server, and out of it."""
    url = f"{api.url}/api/2.0/mlflow-artifacts/artifacts/bench/artifact"
    content = secrets.token_bytes(ARTIFACT)
    with api.session() as session:

        def store() -> None:
            session.put(url, data=content, timeout=TIMEOUT).raise_for_status()

        def load() -> None:
            check(session.get(url, timeout=TIMEOUT).content)

        return rate(store), rate(load)


def direct(s3: S3) -> tuple[float, float]:
    """Return MB per second of an artifact into the S3 server itself, and out of it."""
    import io

    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.key,
        aws_secret_access_key=s3.secret,
        region_name="us-east-1",
    )
    content = secrets.token_bytes(ARTIFACT)

    def load() -> None:
        target = io.BytesIO()
        client.download_fileobj(BUCKET, "bench/direct", target)
        check(target.getbuffer())

    into = rate(lambda: client.upload_fileobj(io.BytesIO(content), BUCKET, "bench/direct"))
    return into, rate(load)


def check(content: bytes | memoryview) -> None:
    """Fail if an artifact did not come back completely."""
    if len(content) != ARTIFACT:
        raise RuntimeError(f"{len(content)} bytes came back instead of {ARTIFACT}")


def rate(transfer: Callable[[], object]) -> float:
    """Return the median MB per second of a transfer."""
    transfer()
    return ARTIFACT / MEBIBYTE / statistics.median(seconds(transfer) for _ in range(TRANSFERS))
