"""The seats of a class: each is a stack of its own, over servers that all share."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import SecretStr

from mlflow_compose.settings import Settings
from mlflow_compose.settings.seats import Seat
from mlflow_compose.stack import keys
from mlflow_compose.stack.site import Site, url_host

# Pools of a seat's server, so that many seats do not hold thousands of database connections.
POOL_SIZE, MAX_OVERFLOW = 2, 3
# Connections that the role of a seat may have: pools for runs, registry and login, and one more.
CONNECTIONS = 3 * (POOL_SIZE + MAX_OVERFLOW) + 1
# Mebibytes above which a server process would be replaced; a seat has only one.
NO_LIMIT = ""
POOLS: Mapping[str, str] = {
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(POOL_SIZE),
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(MAX_OVERFLOW),
}


def seat_settings(settings: Settings, seat: Seat) -> Settings:
    """Return the settings with which a seat's server runs.

    Its person is the admin of it, and nothing else: the database role may use one database, the
    S3 key one bucket.
    """
    key_id, secret = keys.seat_key(settings, seat.name)
    return settings.model_copy(
        update={
            "mlflow_port": published_at(settings, seat)[0],
            "mlflow_bucket_name": bucket_of(settings, seat),
            "mlflow_workers": 1,
            "mlflow_replicas": 1,
            "mlflow_worker_memory": NO_LIMIT,
            "mlflow_jobs": False,
            "mlflow_workspaces": False,
            "mlflow_memory": settings.class_seat_memory,
            "mlflow_auth": "basic",
            "mlflow_admin_username": seat.name,
            "mlflow_admin_password": SecretStr(keys.seat_password(settings, seat.name)),
            "pg_user": database_of(seat),
            "pg_database": database_of(seat),
            "pg_password": SecretStr(keys.seat_secret(settings, "PG_PASSWORD", seat.name)),
            "minio_access_key": SecretStr(key_id),
            "minio_secret_access_key": SecretStr(secret),
            "server_variables": {**settings.server_variables, **POOLS},
        }
    )


def seat_site(site: Site, seat: Seat) -> Site:
    """Return the paths and addresses of a seat's server.

    Args:
        site: Those of the whole stack.
        seat: The seat.
    """
    if site.in_containers:
        return replace(site, tracking=f"http://{seat.service}:{site.port}")
    return replace(
        site,
        secrets=f"{site.secrets}/{seat.service}",
        tracking=f"http://{url_host(site.listen)}:{seat.port + site.offset}",
        port=seat.port + site.offset,
        tmp=f"data/{tmp_volume(seat.service)}",
    )


def published_at(settings: Settings, seat: Seat) -> tuple[int, str]:
    """Return the port at which clients find a seat, and its path if all seats share the port."""
    shared = settings.seats_port
    return (shared, f"/{seat.name}") if shared else (seat.port, "")


def database_of(seat: Seat) -> str:
    """Return the name of a seat's database and of its role."""
    return f"seat_{seat.name.replace('-', '_')}"


def bucket_of(settings: Settings, seat: Seat) -> str:
    """Return the name of a seat's bucket."""
    return f"{settings.mlflow_bucket_name}-{seat.name}"


def tmp_volume(service: str) -> str:
    """Return the name of the volume for artifacts in transit of a seat's service."""
    return f"{service}_tmp"
