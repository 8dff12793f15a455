"""How long MLflow does not answer after `kill -9`."""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import psutil

from bench.processes import busiest, tree, workers
from bench.stack import Stack

INTERVAL, TIMEOUT = 0.01, 0.1
# Clients that keep their connections, and how long they wait: a slow answer is an answer.
CLIENTS, CLIENT_INTERVAL, CLIENT_TIMEOUT = 8, 0.02, 1.0
# How long a killed worker may have an effect, and how long a server may be away.
WORKER_SECONDS, SERVER_SECONDS = 3.0, 120.0

# When a request began and ended, and whether it was answered.
Sample = tuple[float, float, bool]


def after_worker(stack: Stack) -> float:
    """Kill a worker, and return the longest time that one of its clients was without an answer.

    Only clients with a connection to that worker notice its end: the other workers accept new
    connections all the time.
    """
    found = workers(stack.services()["mlflow"], stack.mlflow_port)

    def kill() -> None:
        psutil.Process(busiest(found, stack.mlflow_port)).kill()

    return max(longest_gap(samples) for samples in keep_asking(stack.url, kill))


def keep_asking(
    url: str, action: Callable[[], None], limit: float = WORKER_SECONDS
) -> list[list[Sample]]:
    """Let clients ask for /health, act when all are connected, and go on for some seconds.

    Each client keeps its connection as long as it can, and opens another one after a failure.
    """
    connected, over = threading.Barrier(CLIENTS + 1, timeout=SERVER_SECONDS), threading.Event()

    def client() -> list[Sample]:
        samples: list[Sample] = []
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=CLIENT_TIMEOUT)
        with closing(connection):
            while not ask(connection) and not over.wait(CLIENT_INTERVAL):
                continue
            connected.wait()
            while not over.wait(CLIENT_INTERVAL):
                start = time.perf_counter()
                answered = ask(connection)
                samples.append((start, time.perf_counter(), answered))
        return samples

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client) for _ in range(CLIENTS)]
        try:
            connected.wait()
            action()
            time.sleep(limit)
        finally:
            over.set()
            connected.abort()
        return [one.result() for one in running]


def after_server(stack: Stack) -> float:
    """Kill the server with all its processes, and return the time until it answers again.

    The processes are killed from outside: `docker kill` counts as stopped by hand, after which
    Docker does not restart a container.
    """
    start = time.perf_counter()
    for process in tree(stack.services()["mlflow"]):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    samples = poll(stack.url, SERVER_SECONDS, is_back)
    if not samples[-1][2]:
        raise RuntimeError(f"MLflow did not answer {SERVER_SECONDS:.0f} s after kill -9")
    return samples[-1][1] - start


def is_back(samples: Sequence[Sample]) -> bool:
    """Return whether a request failed and the next one was answered."""
    return len(samples) > 1 and samples[-1][2] and not samples[-2][2]


def poll(url: str, limit: float, done: Callable[[Sequence[Sample]], bool]) -> list[Sample]:
    """Ask for /health on a new connection each time."""
    samples: list[Sample] = []
    end = time.perf_counter() + limit
    while time.perf_counter() < end and not done(samples):
        start = time.perf_counter()
        answered = answers(url)
        samples.append((start, time.perf_counter(), answered))
        time.sleep(INTERVAL)
    return samples


def answers(url: str) -> bool:
    """Return whether /health is answered in time."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT)
    with closing(connection):
        return ask(connection)


def ask(connection: http.client.HTTPConnection) -> bool:
    """Return whether /health is answered on a connection in time; close it otherwise."""
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return answer.status == http.HTTPStatus.OK


def longest_gap(samples: Sequence[Sample]) -> float:
    """Return the longest time from a failed request's start to the next answer."""
    longest, since = 0.0, None
    for start, end, answered in samples:
        if not answered:
            since = start if since is None else since
            longest = max(longest, end - since)
        elif since is not None:
            longest, since = max(longest, end - since), None
    return longest
