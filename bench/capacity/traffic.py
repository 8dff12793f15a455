"""Requests that arrive at random times, whether or not those before are answered."""

import itertools
import multiprocessing
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

import requests

from bench.classroom.clients import Waits, joined, timed
from bench.load import TIMEOUT, WARM_UP_PER_CLIENT, Api

# Processes that send requests, so that none waits for the interpreter lock of another; connections
# of each. Independent random arrivals of several processes are random arrivals together.
PROCESSES, CONNECTIONS = 2, 32
# Seconds of traffic before anything is timed.
SETTLED = 5


@dataclass(frozen=True)
class Traffic:
    """Requests of one process.

    Attributes:
        rate: Requests per second, on average.
        seconds: How long they arrive.
        seed: Where the random numbers start, so that every run has the same arrivals.
    """

    rate: float
    seconds: float
    seed: int

    def arrivals(self) -> Iterator[float]:
        """Yield the seconds after the start at which requests arrive: a Poisson process."""
        source = random.Random(self.seed)  # noqa: S311  times, not secrets
        gaps = iter(lambda: source.expovariate(self.rate), None)
        return itertools.takewhile(lambda at: at < self.seconds, itertools.accumulate(gaps))


def under(api: Api, rate: float, seconds: float, timed: Callable[[], None]) -> Waits:
    """Return how long requests took that arrive at a rate.

    Args:
        api: The server.
        rate: Requests per second.
        seconds: For how long they arrive, after those that are not timed.
        timed: Called when the first of those that are timed arrive, and after the last.
    """
    context = multiprocessing.get_context("fork")
    begin, found = context.Barrier(PROCESSES + 1), context.SimpleQueue()
    parts = [Traffic(rate / PROCESSES, seconds + SETTLED, each) for each in range(PROCESSES)]
    senders = [context.Process(target=send, args=(api, one, begin, found)) for one in parts]
    try:
        for one in senders:
            one.start()
        begin.wait(TIMEOUT)
        time.sleep(SETTLED)
        timed()
        time.sleep(seconds)
        timed()
        waits = [found.get() for _ in senders]
    finally:
        for one in senders:
            if one.pid:
                one.kill()
                one.join()
    return joined(waits)


def send(api: Api, traffic: Traffic, begin: Barrier, found: "SimpleQueue[Waits]") -> None:
    """Send requests as they arrive; put how long they took."""
    # Ctrl-C reaches every process of the terminal; the parent ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    arrivals, lock = traffic.arrivals(), threading.Lock()
    ready = threading.Barrier(CONNECTIONS + 1)
    started: list[float] = []

    def connection(_: int) -> Waits:
        waits: list[Waits] = []
        with api.session() as session:
            run = api.run(session)
            api.log_metrics(session, run, WARM_UP_PER_CLIENT)
            ready.wait(TIMEOUT)
            ready.wait(TIMEOUT)
            while True:
                with lock:
                    at = next(arrivals, None)
                if at is None:
                    return joined(waits)
                wait = answered(api, session, run, started[0] + at)
                if at > SETTLED:
                    waits.append(wait)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        parts = pool.map(connection, range(CONNECTIONS))
        ready.wait(TIMEOUT)
        begin.wait(TIMEOUT)
        started.append(time.perf_counter())
        ready.wait(TIMEOUT)
        found.put(joined(list(parts)))


def answered(api: Api, session: requests.Session, run: str, due: float) -> Waits:
    """Send a request when it is due, and return how long the answer took from then on.

    If all connections are busy, a request is sent late; that counts, as it does for a user.
    """
    time.sleep(max(0, due - time.perf_counter()))
    late = max(0, time.perf_counter() - due)
    found = timed(lambda: api.log_metrics(session, run, 1))
    return Waits([late + each for each in found.seconds], found.failed)
