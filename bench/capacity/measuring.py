"""Measures a stack: what requests cost one after the other, then how long they take under load."""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.capacity.cost import SERVICES, Values, costs, database
from bench.capacity.results import Point, quietest
from bench.capacity.traffic import under
from bench.classroom.clients import percentile
from bench.classroom.measuring import busy_seconds
from bench.classroom.room import DOCKER
from bench.data import size
from bench.docker import OurStack
from bench.images import base_images
from bench.load import Api
from bench.local import LocalStack
from bench.measuring import Progress
from bench.processes import processor_seconds, pss, workers
from bench.stack import Stack

# Seconds of an idle stack, to know what it uses without any request.
IDLE_SECONDS = 20
# Cores that other programs may use while times are measured, and how often that is tried.
QUIET, TRIES = 0.15, 4
# What is measured: a person logs in.
SETTINGS = {"MLFLOW_AUTH": "basic"}


@contextmanager
def running(engine: str, folder: Path, progress: Progress) -> Iterator[Stack]:
    """Provide a stack that runs, and remove it."""
    settings = {"STACK_ENGINE": engine, **SETTINGS}
    stack: Stack = (
        OurStack("capacity", {**base_images(), **settings}, folder)
        if engine == DOCKER
        else LocalStack(settings, folder)
    )
    progress(f"{engine}: preparing")
    stack.prepare()
    try:
        progress(f"{engine}: starting")
        stack.up()
        yield stack
    finally:
        progress(f"{engine}: removing the stack")
        stack.down()


def values(stack: Stack) -> Values:
    """Yield what a stack costs while idle, for each kind of request, and for each run."""
    api = Api(stack.url, stack.login)
    yield "processes", len(workers(stack.services()["mlflow"], stack.mlflow_port))
    yield from idle(stack)
    yield from database(stack, api, size)
    yield from costs(stack, api)
    for name in SERVICES:
        yield f"{name}_memory", pss([stack.services()[name]])


def idle(stack: Stack) -> Values:
    """Yield how many cores each service uses without any request."""
    services = stack.services()
    before = {name: processor_seconds([services[name]]) for name in SERVICES}
    time.sleep(IDLE_SECONDS)
    for name in SERVICES:
        yield f"{name}_idle", (processor_seconds([services[name]]) - before[name]) / IDLE_SECONDS


def quiet(stack: Stack, rate: float, seconds: int) -> Point:
    """Return how a stack answers under a load; measured again while other programs are busy."""
    found: list[Point] = []
    while len(found) < TRIES and not (found and found[-1].others <= QUIET):
        found.append(loaded(stack, rate, seconds))
    (point,) = quietest(found)
    return point


def loaded(stack: Stack, rate: float, seconds: int) -> Point:
    """Return how a stack answers under a load, and what that costs."""
    services = stack.services()
    found: list[tuple[float, ...]] = []

    def sample() -> None:
        first = (*(services[name] for name in SERVICES), os.getpid())
        used = [processor_seconds([pid]) for pid in first]
        found.append((time.perf_counter(), *used, busy_seconds()))

    waits = under(Api(stack.url, stack.login), rate, seconds, sample)
    taken, *used = (after - before for before, after in zip(*found, strict=True))
    mlflow, postgres, clients, machine = (each / taken for each in used)
    return Point(
        rate=rate,
        answered=len(waits.seconds) / seconds,
        failed=len(waits.failed),
        mean=1000 * statistics.mean(waits.seconds),
        median=waits.median,
        p95=1000 * percentile(waits.seconds, 95),
        p99=waits.p99,
        mlflow_cores=mlflow,
        postgres_cores=postgres,
        client_cores=clients,
        machine_cores=machine,
    )
