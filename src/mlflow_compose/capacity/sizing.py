"""Which servers a demand needs: processes, cores, memory, connections."""

import math
from dataclasses import dataclass

from mlflow_compose.capacity.costs import Assumptions, ServerCosts
from mlflow_compose.capacity.demand import Demand
from mlflow_compose.capacity.queueing import Queue

# Processes of a small tracking server: with one, a long request keeps all others waiting.
LEAST_PROCESSES = 2


@dataclass(frozen=True)
class Sizing:
    """The servers for a demand.

    Attributes:
        replicas: Tracking servers.
        processes: Processes of all of them together; each can keep a core busy.
        server_cores: Cores of all tracking servers.
        server_memory: Bytes of memory of all tracking servers.
        database_cores: Cores of the database.
        database_memory: Bytes of memory of the database.
        object_cores: Cores that artifacts keep busy.
        object_memory: Bytes of memory of the S3 server.
        system_memory: Bytes of memory that stay free for the system, on each machine.
        connections: Database connections that all processes together may open.
        process_queue: A process at the peak: connections stay with one, so each has its own queue.
        database_queue: The database at the peak, whose cores share their queue.
        alone: Seconds until a metric is logged, if nothing else is done.
    """

    replicas: int
    processes: int
    server_cores: int
    server_memory: int
    database_cores: int
    database_memory: int
    object_cores: int
    object_memory: int
    system_memory: int
    connections: int
    process_queue: Queue
    database_queue: Queue
    alone: float

    @property
    def cores(self) -> int:
        """Cores of all servers."""
        return self.server_cores + self.database_cores + self.object_cores

    @property
    def memory(self) -> int:
        """Bytes of memory of all servers on one machine."""
        servers = self.server_memory + self.database_memory + self.object_memory
        return servers + self.system_memory

    def within(self, share: float) -> float:
        """Return the seconds within which a share of the metrics is logged at the peak."""
        return self.alone + sum(
            queue.waiting(share) for queue in (self.process_queue, self.database_queue)
        )


def sizing(wanted: Demand, costs: ServerCosts, assumed: Assumptions) -> Sizing:
    """Return the servers for a demand."""
    processes = max(LEAST_PROCESSES, math.ceil(wanted.server / assumed.utilization))
    replicas = math.ceil(processes / assumed.processes)
    if replicas > 1:
        processes = replicas * assumed.processes
    connections = processes * assumed.pools * assumed.pool + assumed.reserve
    database_cores = max(1, math.ceil(wanted.database / assumed.utilization))
    cached = wanted.database_growth * assumed.cached_days / assumed.days
    return Sizing(
        replicas=replicas,
        processes=processes,
        server_cores=processes,
        server_memory=replicas * costs.first_process + (processes - replicas) * costs.process,
        database_cores=database_cores,
        database_memory=(
            costs.database_memory + connections * costs.connection_memory + round(cached)
        ),
        object_cores=math.ceil(wanted.transfers / assumed.utilization),
        object_memory=costs.objects_memory,
        system_memory=costs.system_memory,
        connections=connections,
        process_queue=queue(wanted, costs, processes, 1, "server"),
        database_queue=queue(wanted, costs, 1, database_cores, "database"),
        alone=costs.requests["metric"].server + costs.requests["metric"].database,
    )


def queue(wanted: Demand, costs: ServerCosts, queues: int, servers: int, where: str) -> Queue:
    """Return one of several equal queues at the peak.

    Args:
        wanted: All requests.
        costs: What each kind of them costs.
        queues: How many queues share them.
        servers: Servers of each queue.
        where: Field of the cost of a request.
    """
    if not wanted.rate:
        return Queue(servers, 0, 0)
    shares = {kind: rate / wanted.rate for kind, rate in wanted.requests.items()}
    times = {kind: getattr(costs.requests[kind], where) for kind in shares}
    mean = sum(share * times[kind] for kind, share in shares.items())
    # Each kind by itself varies like an exponential distribution.
    square = sum(share * 2 * times[kind] ** 2 for kind, share in shares.items())
    return Queue(servers, mean, wanted.rate / queues, square / (2 * mean**2))
