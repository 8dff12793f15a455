"""What each kind of request costs: processor time by service, and bytes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import requests

from bench.load import Api, log_batches
from bench.processes import processor_seconds
from bench.stack import Stack

# Requests of each kind that are measured, and before that.
COUNT, WARM_UP = 100, 20
# Metrics of a batch are so many that fewer batches do.
BATCHES = 10
# What a run of MLflow's client has besides metrics.
TAGS, PARAMS = 5, 10
# Runs of which the size in the database is measured.
RUNS = 300
# Those that are told apart.
SERVICES = ("mlflow", "postgres")
Values = Iterator[tuple[str, float]]


@dataclass(frozen=True)
class Work:
    """A client that sends requests of one kind.

    Attributes:
        api: The server.
        session: Its connection.
        run: A run to log to.
        fresh: Runs to which nothing was logged.
    """

    api: Api
    session: requests.Session
    run: str
    fresh: Iterator[str]

    def create(self) -> str:
        """Create a run with tags, as MLflow's client does; return its id."""
        tags = [{"key": f"mlflow.tag{each}", "value": "0123456789abcdef"} for each in range(TAGS)]
        body = {"experiment_id": "0", "start_time": 1700000000000, "tags": tags}
        return str(self.api.post(self.session, "runs/create", body)["run"]["info"]["run_id"])

    def params(self, run: str) -> None:
        """Log the params of a run, in one request."""
        params = [{"key": f"param{each}", "value": str(each)} for each in range(PARAMS)]
        self.api.post(self.session, "runs/log-batch", {"run_id": run, "params": params})

    def finish(self, run: str) -> None:
        """Set a run's state."""
        body = {"run_id": run, "status": "FINISHED", "end_time": 1700000000000}
        self.api.post(self.session, "runs/update", body)

    def search(self) -> None:
        """Get the newest 100 runs."""
        body = {"experiment_ids": ["0"], "max_results": 100}
        self.api.post(self.session, "runs/search", body)


# What sends one request of each kind.
KINDS: Mapping[str, Callable[[Work], object]] = {
    "search": Work.search,
    "create": Work.create,
    "params": lambda work: work.params(next(work.fresh)),
    "metric": lambda work: work.api.log_metrics(work.session, work.run, 1),
    "finish": lambda work: work.finish(next(work.fresh)),
    "batch": lambda work: log_batches(work.api, work.session, work.run, 0, 1),
}


def costs(stack: Stack, api: Api) -> Values:
    """Yield milliseconds of processor time and bytes of each kind of request."""
    for kind, action in KINDS.items():
        with api.session() as session:
            count = BATCHES if kind == "batch" else COUNT
            fresh = [api.run(session) for _ in range(WARM_UP + count)]
            work = Work(api, session, fresh[0], iter(fresh))
            yield from cost(kind, stack, work, action, count)


def cost(
    kind: str, stack: Stack, work: Work, action: Callable[[Work], object], count: int
) -> Values:
    """Yield what one kind of request costs, sent by one client, one after the other."""
    for _ in range(WARM_UP):
        action(work)
    traffic: list[int] = []
    work.session.hooks["response"] = [lambda answer, **_: traffic.append(size(answer))]
    services = stack.services()
    before = {name: processor_seconds([services[name]]) for name in SERVICES}
    for _ in range(count):
        action(work)
    for name in SERVICES:
        used = processor_seconds([services[name]]) - before[name]
        yield f"{kind}_{name}_cpu", 1000 * used / count
    yield f"{kind}_bytes", sum(traffic) / count


def size(answer: requests.Response) -> int:
    """Return the bytes of a request and its answer in HTTP, without TLS and packets."""
    sent = answer.request
    headers = sum(
        len(name) + len(value) + 4
        for one in (sent.headers, answer.headers)
        for name, value in one.items()
    )
    return headers + len(sent.body or b"") + len(answer.content)


def database(stack: Stack, api: Api, sized: Callable[[Stack], int]) -> Values:
    """Yield the bytes in the database of a run with tags and params, without metrics."""
    with api.session() as session:
        work = Work(api, session, "", iter(()))
        before = sized(stack)
        for _ in range(RUNS):
            run = work.create()
            work.params(run)
            work.finish(run)
        yield "run_database", (sized(stack) - before) / RUNS
