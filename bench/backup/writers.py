"""Clients that write while a backup runs, and how long they had to wait."""

import itertools
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import requests

from bench.load import CLIENTS, TIMEOUT, Api

# Seconds of writing before anything is measured.
WARM_UP = 2
CONTENT = b"x" * 10_000
PREFIX = "bench-writers"
# When a request was sent, when it was answered, and whether it was acknowledged.
Write = tuple[float, float, bool]


@dataclass(frozen=True)
class Waits:
    """How long clients waited in a span of time.

    Attributes:
        pause: Longest time without an acknowledged write of any client.
        slowest: Longest time of one write.
        rate: Acknowledged writes per second.
        failed: Number of writes that were refused.
    """

    pause: float
    slowest: float
    rate: float
    failed: int


def waits(writes: Sequence[Write], start: float, end: float) -> Waits:
    """Return how long clients waited between two points in time."""
    during = [one for one in writes if one[1] >= start and one[0] <= end]
    answers = sorted(at for _, at, good in during if good and at <= end)
    gaps = [later - earlier for earlier, later in itertools.pairwise([start, *answers, end])]
    return Waits(
        pause=max(gaps),
        slowest=max((at - sent for sent, at, _ in during), default=end - start),
        rate=len(answers) / (end - start),
        failed=sum(not good for _, _, good in during),
    )


def during(api: Api, action: Callable[[], object]) -> tuple[Waits, float]:
    """Return how long clients waited during an action, and how long it took."""
    with writing(api) as stop:
        time.sleep(WARM_UP)
        start = time.perf_counter()
        action()
        end = time.perf_counter()
        writes = stop()
    return waits(writes, start, end), end - start


@contextmanager
def writing(api: Api) -> Iterator[Callable[[], list[Write]]]:
    """Let clients write; yield a function that stops them and returns what they wrote."""
    context = multiprocessing.get_context("fork")
    ended, found = context.Event(), context.Queue()
    clients = [
        context.Process(target=client, args=(api, f"{PREFIX}/{number}", ended, found))
        for number in range(CLIENTS)
    ]

    def stop() -> list[Write]:
        ended.set()
        return [one for _ in clients for one in found.get(timeout=TIMEOUT)]

    try:
        for one in clients:
            one.start()
        yield stop
    finally:
        for one in clients:
            if one.pid:
                one.kill()
                one.join()


def client(api: Api, folder: str, ended: Event, found: "Queue[list[Write]]") -> None:
    """Create a run, log a metric and store an artifact, until the end."""
    # Ctrl-C reaches every process of the terminal; the parent ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    writes: list[Write] = []
    run = ""

    def create() -> None:
        nonlocal run
        run = api.run(session)

    def log() -> None:
        api.log_metrics(session, run, 1)

    def store() -> None:
        url = f"{api.url}/api/2.0/mlflow-artifacts/artifacts/{folder}/{run}"
        session.put(url, data=CONTENT, timeout=TIMEOUT).raise_for_status()

    with api.session() as session:
        while not ended.is_set():
            writes.extend(map(timed, (create, log, store)))
    found.put(writes)


def timed(write: Callable[[], None]) -> Write:
    """Return when a write was sent and answered, and whether it was acknowledged."""
    sent = time.perf_counter()
    try:
        write()
    except requests.RequestException:
        return sent, time.perf_counter(), False
    return sent, time.perf_counter(), True
