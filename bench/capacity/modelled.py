"""What the queue of `plan --users` says about a load that was measured."""

from dataclasses import dataclass

from bench.capacity.results import Point
from mlflow_compose.capacity.queueing import Queue


@dataclass(frozen=True)
class Expected:
    """What the model says about a load: milliseconds until the answer."""

    median: float
    p99: float


def modelled(point: Point, processes: int) -> Expected:
    """Return what the model says about a load on one machine.

    Connections stay with a process, so each process has a queue of its own. Clients and database
    share the cores of the machine with them: what they take makes each request longer.
    """
    used = point.mlflow_cores + point.postgres_cores + point.client_cores
    service = used / point.answered
    queue = Queue(1, service, point.answered / processes)
    return Expected(*(1000 * (service + queue.waiting(share)) for share in (0.5, 0.99)))
