"""Clients of a class: some in a tight loop, others at a steady pace; and how long they waited."""

import math
import multiprocessing
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event

import requests

from bench.classroom.room import Login
from bench.load import Api

# Clients of a seat in a tight loop, and requests of its neighbor that are timed.
LOOPERS, TIMED, WARM_UP = 8, 400, 50
# Seconds for which the loops run before anything is timed.
SETTLED = 3
# The header by which MLflow's client chooses a workspace.
WORKSPACE = "X-MLFLOW-WORKSPACE"


@dataclass(frozen=True)
class Waits:
    """How long requests took.

    Attributes:
        seconds: Time of each answered request.
        failed: What went wrong with the others.
    """

    seconds: Sequence[float]
    failed: Sequence[str] = ()

    @property
    def median(self) -> float:
        """Median in milliseconds."""
        return 1000 * statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        """Milliseconds within which 99 of 100 requests were answered."""
        return 1000 * percentile(self.seconds, 99)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def joined(parts: Sequence[Waits]) -> Waits:
    """Return what several clients waited."""
    return Waits(
        [each for one in parts for each in one.seconds],
        [each for one in parts for each in one.failed],
    )


def one_by_one(api: Api) -> Waits:
    """Let one client log metrics, each as soon as the one before is answered."""
    with api.session() as session:
        run = api.run(session)
        api.log_metrics(session, run, WARM_UP)
        return joined([timed(lambda: api.log_metrics(session, run, 1)) for _ in range(TIMED)])


def timed(request: Callable[[], None]) -> Waits:
    """Return how long a request took."""
    start = time.perf_counter()
    try:
        request()
    except requests.RequestException as error:
        return Waits([], [str(error)])
    return Waits([time.perf_counter() - start])


@contextmanager
def looping(api: Api) -> Iterator[None]:
    """Let several clients of a seat log metrics in a tight loop; each is a process."""
    context = multiprocessing.get_context("fork")
    ended = context.Event()
    clients = [context.Process(target=loop, args=(api, ended)) for _ in range(LOOPERS)]
    try:
        for one in clients:
            one.start()
        time.sleep(SETTLED)
        yield
        if not all(one.is_alive() for one in clients):
            raise RuntimeError("a client failed")
        ended.set()
        for one in clients:
            one.join()
    finally:
        for one in clients:
            if one.pid:
                one.kill()
                one.join()


def loop(api: Api, ended: Event) -> None:
    """Log metrics until the end."""
    # Ctrl-C reaches every process of the terminal; the parent ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with api.session() as session:
        run = api.run(session)
        while not ended.is_set():
            api.log_metrics(session, run, 1)


def at_a_pace(
    logins: Sequence[Login],
    seconds: int,
    begin: Callable[[], None],
    *,
    workspaces: bool = False,
) -> Waits:
    """Let each participant log one metric per second, all at once.

    They are threads: at one request per second they do not wait for each other's interpreter lock.

    Args:
        logins: The participants.
        seconds: How many requests each of them sends.
        begin: Called when all have logged in and created a run, before the first request.
        workspaces: Whether each works in the workspace that is named after the seat.
    """
    found: list[Waits] = []
    ready = threading.Barrier(len(logins), action=begin)

    def participant(number: int, login: Login) -> None:
        with login.api.session() as session:
            if workspaces:
                session.headers[WORKSPACE] = login.seat
            try:
                run = login.api.run(session, login.api.experiment(session, "lesson"))
            except BaseException:
                ready.abort()
                raise
            ready.wait()
            first = time.perf_counter() + number / len(logins)
            for step in range(seconds):
                time.sleep(max(0, first + step - time.perf_counter()))
                found.append(timed(lambda: login.api.log_metrics(session, run, 1)))

    with ThreadPoolExecutor(len(logins)) as pool:
        list(pool.map(lambda each: participant(*each), enumerate(logins)))
    return joined(found)
