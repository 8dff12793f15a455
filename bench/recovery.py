"""How long MLflow does not answer after `kill -9`."""

import http.client
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from bench.processes import tree, workers
from bench.stack import Stack

INTERVAL, TIMEOUT = 0.01, 0.1
# How long a killed worker may have an effect, and how long a server may be away.
WORKER_SECONDS, SERVER_SECONDS = 3.0, 120.0

# When a request began and ended, and whether it was answered.
Sample = tuple[float, float, bool]


def after_worker(stack: Stack) -> float:
    """Kill a worker, and return the longest time without an answer."""
    pid = workers(stack.services()["mlflow"], stack.mlflow_port)[0]
    os.kill(pid, signal.SIGKILL)
    return longest_gap(poll(stack.url, WORKER_SECONDS, lambda _: False))


def after_server(stack: Stack) -> float:
    """Kill the server with all its processes, and return the time until it answers again.

    The processes are killed from outside: `docker kill` counts as stopped by hand, after which
    Docker does not restart a container.
    """
    start = time.perf_counter()
    for process in tree(stack.services()["mlflow"]):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
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
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


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
