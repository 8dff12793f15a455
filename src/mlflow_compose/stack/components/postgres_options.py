"""Options of the PostgreSQL server."""

from mlflow_compose.settings import Settings
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack.seats import CONNECTIONS as SEAT_CONNECTIONS

# MLflow's pools, unless its variables change them (SQLAlchemy's defaults).
POOL_SIZE, MAX_OVERFLOW = 5, 10
# Pools of each process: runs and the registry; one more each for logins and for jobs.
POOLS = 2
# Processes that MLflow adds for jobs.
JOB_PROCESSES = 9
# Connections for `verify`, for other programs and for those that only a superuser may use.
RESERVE = 20
# PostgreSQL's default, and more than MLflow's threads can use: an overflow may be set to a number
# that only means any.
LEAST, MOST = 100, 2000
# Seats that there is room for at least, and that room is made for at once.
SEATS_AT_ONCE = 25


def options(settings: Settings) -> tuple[str, ...]:
    """Return the options that fit MLflow; what makes a commit durable keeps its default.

    None without PG_SHARED_BUFFERS: options override postgresql.conf and ALTER SYSTEM.
    """
    if not settings.pg_shared_buffers:
        return ()
    chosen = {
        "shared_buffers": f"{mebibytes(settings.pg_shared_buffers)}MB",
        "max_connections": str(connections(settings)),
        # Only large servers gain from them, and the host has to reserve them.
        "huge_pages": "off",
        # Compiling takes longer than most of MLflow's queries, and 50 MB in each connection.
        "jit": "off",
    }
    return tuple(f"--{name}={value}" for name, value in chosen.items())


def connections(settings: Settings) -> int:
    """Return how many connections all of MLflow's pools can hold, and some more."""
    size = _number(settings, "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", POOL_SIZE)
    overflow = _number(settings, "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW", MAX_OVERFLOW)
    of_server = settings.mlflow_workers + JOB_PROCESSES * settings.mlflow_jobs
    processes = of_server * settings.mlflow_replicas
    pools = POOLS + (settings.mlflow_auth == "basic") + settings.mlflow_jobs
    own = min(MOST, max(LEAST, processes * pools * (size + overflow) + RESERVE))
    # All that their roles may have: no seat can take the connections of another one. In steps,
    # because another number restarts the server, which all seats would notice.
    steps = -(-len(settings.seats) // SEATS_AT_ONCE)
    return own + steps * SEATS_AT_ONCE * SEAT_CONNECTIONS


def _number(settings: Settings, variable: str, default: int) -> int:
    text = settings.server_variables.get(variable, "")
    # MLflow ignores 0.
    return int(text) or default if text.isdecimal() else default
