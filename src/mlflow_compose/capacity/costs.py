"""What seats and users cost: constants that were measured, and assumptions, all in this file."""

from collections.abc import Mapping
from dataclasses import dataclass

MB, GB, TB = 1_000_000, 1_000_000_000, 1_000_000_000_000


@dataclass(frozen=True)
class SeatCosts:
    """Memory, disk and processor time of a class in `seats` mode.

    Attributes:
        system_memory: Bytes that stay free for the system and other programs.
        shared_memory: Bytes of the servers that all seats share.
        seat_memory: Bytes of a seat in use.
        system_disk: Bytes that stay free on the disk.
        shared_disk: Bytes of the image or packages, and of the empty servers.
        seat_disk: Bytes of a seat: database, objects, logs, files in transit.
        start_cpu: Seconds of processor time that the start of a seat takes.
        shared_start: Seconds until the shared servers are ready.
        requests_per_core: Requests that a core answers in a second.
        requests_per_seat: Requests that a busy seat sends in a second.
    """

    system_memory: int
    shared_memory: int
    seat_memory: int
    system_disk: int
    shared_disk: int
    seat_disk: int
    start_cpu: float
    shared_start: float
    requests_per_core: float
    requests_per_seat: float


# What `make bench-class` measured with Docker, rounded; a test compares it with what is published
# in docs/benchmark/classroom.json. What stays free, the images and the pace of a person are
# assumptions.
SEATS = SeatCosts(
    system_memory=1 * GB,
    shared_memory=600 * MB,
    seat_memory=220 * MB,
    system_disk=2 * GB,
    shared_disk=2 * GB,
    # A database of 11 MB, as measured; the rest is for artifacts and logs.
    seat_disk=60 * MB,
    start_cpu=6,
    shared_start=7,
    # A person who logs a metric each second while a browser shows the run.
    requests_per_core=55,
    requests_per_seat=2,
)


@dataclass(frozen=True)
class RequestCost:
    """What one request costs.

    Attributes:
        server: Seconds of processor time of the tracking server.
        database: Seconds of processor time of the database.
        traffic: Bytes of the request and its answer.
    """

    server: float
    database: float
    traffic: int


@dataclass(frozen=True)
class ServerCosts:
    """What a tracking server and its stores cost.

    Attributes:
        requests: Cost of each kind of request.
        run: Bytes of a run in the database, with tags and params, without metrics.
        artifacts_per_core: Bytes of artifacts in a second that keep a core busy, of the tracking
            server and the S3 server together.
        metric: Bytes of a value of a metric in the database, with its indexes.
        first_process: Bytes of memory of a tracking server with one process.
        process: Bytes of memory of each further process.
        database_memory: Bytes of memory of the database, without those of its connections.
        connection_memory: Bytes of memory of each connection.
        objects_memory: Bytes of memory of the S3 server.
        system_memory: Bytes that stay free for the system and other programs.
    """

    requests: Mapping[str, RequestCost]
    artifacts_per_core: int
    run: int
    metric: int
    first_process: int
    process: int
    database_memory: int
    connection_memory: int
    objects_memory: int
    system_memory: int


@dataclass(frozen=True)
class Assumptions:
    """What cannot be measured in advance: how people work, and what machines there are.

    Attributes:
        hours: Hours of a day in which its runs are started.
        days: Days of a year with runs.
        peak: How many times as many requests as on average arrive in the busiest minutes.
        searches: How often a person looks at a list of 100 runs, for each run.
        cached_days: Days whose rows the database should hold in memory.
        utilization: The most of its time that a process or a core is to be busy at the peak.
        processes: Processes of a tracking server, at most, as in the profile `fast`.
        pools: Pools of database connections in each process: runs, registry and logins.
        pool: Connections that each pool may open.
        reserve: Connections for checks, other programs and superusers.
        usual_connections: PostgreSQL's default for `max_connections`.
        most_connections: Connections from which on a pooler costs less than they do.
    """

    hours: float
    days: int
    peak: float
    searches: float
    cached_days: int
    utilization: float
    processes: int
    pools: int
    pool: int
    reserve: int
    usual_connections: int
    most_connections: int


# What `make bench-capacity` (with a login) and `make bench` measured, rounded; tests compare
# them with what is published in docs/benchmark/. What stays free is an assumption.
SERVER = ServerCosts(
    requests={
        "create": RequestCost(0.0115, 0.0022, 1900),
        "params": RequestCost(0.0105, 0.0022, 900),
        "metric": RequestCost(0.0075, 0.001, 600),
        "finish": RequestCost(0.0075, 0.0014, 1000),
        "search": RequestCost(0.063, 0.005, 210_000),
    },
    artifacts_per_core=60 * MB,
    run=3800,
    metric=460,
    first_process=320 * MB,
    process=50 * MB,
    database_memory=60 * MB,
    connection_memory=3 * MB,
    objects_memory=140 * MB,
    system_memory=1 * GB,
)
ASSUMED = Assumptions(
    hours=8,
    days=250,
    peak=3,
    searches=2,
    cached_days=7,
    utilization=0.6,
    processes=4,
    pools=3,
    # SQLAlchemy's defaults, which MLflow does not change: 5, and 10 more under load.
    pool=15,
    reserve=20,
    usual_connections=100,
    most_connections=500,
)
