"""Measures one stack in one round, from its first start to its removal."""

import time
from collections.abc import Callable, Generator, Mapping
from collections.abc import Set as AbstractSet

from bench import data, load, recovery
from bench.commands import median_seconds, seconds, tool
from bench.figures import JUPYTER, SERVICES
from bench.load import Api
from bench.processes import processor_seconds, pss, workers
from bench.stack import Stack
from bench.subjects import Part

IDLE_SECONDS = 60
Values = Generator[tuple[str, float], None, None]
Progress = Callable[[str], None]


def measure(stack: Stack, parts: AbstractSet[Part], progress: Progress) -> Values:
    """Start a stack, yield the values of its figures by name, and remove it."""
    api = Api(stack.url, stack.login)
    try:
        progress("start with empty volumes")
        yield "cold_up", seconds(stack.up)
        yield from memory(stack, "fresh")
        yield "workers", len(workers(stack.services()["mlflow"], stack.mlflow_port))
        for part, action in PARTS.items():
            if part in parts:
                progress(part.value)
                yield from action(stack, api)
    finally:
        stack.down()


def memory(stack: Stack, when: str) -> Values:
    """Yield the memory of the stack, and of each service."""
    found = {name: pss([pid]) for name, pid in stack.services().items()}
    yield f"memory_{when}", pss(stack.first_processes())
    for name in SERVICES:
        yield f"memory_{name}_{when}", found[name]
    if JUPYTER in found and when == "fresh":
        yield f"memory_{JUPYTER}_{when}", found[JUPYTER]


def idle(stack: Stack, _: Api) -> Values:
    """Yield the processor time of an idle stack, with Docker's work for it."""
    pids = [*stack.first_processes(), *stack.overhead()]
    start, before = time.perf_counter(), processor_seconds(pids)
    time.sleep(IDLE_SECONDS)
    used = processor_seconds(pids) - before
    yield "idle", 100 * used / (time.perf_counter() - start)


def metrics(_: Stack, api: Api) -> Values:
    """Yield how fast metrics are logged."""
    yield "log_metric_1", load.one_client(api)
    yield "log_metric_8", load.many_clients(api)
    yield "log_batch", load.batches(api)


def search(stack: Stack, api: Api) -> Values:
    """Yield how fast a page of 100 runs is found."""
    yield "search_100", load.searches(api, data.add_runs(stack, api, 100))


def artifacts(stack: Stack, api: Api) -> Values:
    """Yield how fast artifacts are stored and loaded."""
    yield from zip(("artifact_in", "artifact_out"), load.through_server(api), strict=True)
    yield from zip(("direct_in", "direct_out"), load.direct(stack.s3), strict=True)


def memory_after_load(stack: Stack, _: Api) -> Values:
    """Yield the memory of the stack after the load so far."""
    yield from memory(stack, "loaded")


def commands(stack: Stack, _: Api) -> Values:
    """Yield the durations of commands of the tool."""
    yield "second_up", seconds(stack.up)
    if stack.environment_file:
        env = ("--env-file", stack.environment_file)
        yield "help", median_seconds(lambda: tool("--help"))
        yield "render", median_seconds(lambda: tool(*env, "render"))
        yield "status", median_seconds(lambda: tool(*env, "status"))
        yield "verify", seconds(lambda: tool(*env, "verify"))


def much_data(stack: Stack, api: Api) -> Values:
    """Yield figures of many runs and of a long metric, and how large they are."""
    empty = data.size(stack)
    experiment = data.add_runs(stack, api, data.RUNS)
    with_runs = data.size(stack)
    yield "bytes_per_run", (with_runs - empty) / data.RUNS
    yield "search_5000", data.search(api, experiment)
    before = data.size(stack)
    run = data.add_points(api)
    yield "bytes_per_metric", (data.size(stack) - before) / data.POINTS
    yield "history", data.history(api, run)


def kills(stack: Stack, _: Api) -> Values:
    """Yield how long the stack is away when processes are killed."""
    mlflow = stack.services()["mlflow"]
    # A single worker may be the server itself.
    if workers(mlflow, stack.mlflow_port) != [mlflow]:
        yield "away_worker", recovery.after_worker(stack)
    if stack.restarts:
        yield "away_server", recovery.after_server(stack)


PARTS: Mapping[Part, Callable[[Stack, Api], Values]] = {
    Part.IDLE: idle,
    Part.METRICS: metrics,
    Part.SEARCH: search,
    Part.ARTIFACTS: artifacts,
    Part.MEMORY: memory_after_load,
    Part.COMMANDS: commands,
    Part.DATA: much_data,
    Part.RECOVERY: kills,
}
