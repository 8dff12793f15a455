"""A seat of a class as a stack of its own: commands for a stack also work for a seat."""

from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.settings.seats import Seat
from mlflow_compose.stack import credentials
from mlflow_compose.stack.components import mlflow, postgres, s3
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.seats import seat_settings, seat_site
from mlflow_compose.stack.stores import stores

SHARED = (postgres.NAME, s3.NAME)


def seat_stack(stack: Stack, settings: Settings, seat: Seat) -> Stack:
    """Return the part of a stack that belongs to a seat; its server is called mlflow.

    Args:
        stack: The whole stack.
        settings: Its settings.
        seat: The seat.
    """
    own = seat_settings(settings, seat)
    site = seat_site(stack.site, seat)
    server = stack.service(seat.service)
    routed = (route.port for route in stack.routes if route.service == seat.service)
    ports = tuple(replace(port, name=mlflow.NAME) for port in (*server.ports, *routed))
    return replace(
        stack,
        site=site,
        services=(
            *(service for service in stack.services if service.name in SHARED),
            replace(server, name=mlflow.NAME, ports=ports),
        ),
        stores=stores(own, site),
        login=(seat.name, credentials.reveal(own.mlflow_admin_password)),
        app_key=(
            credentials.reveal(own.minio_access_key),
            credentials.reveal(own.minio_secret_access_key),
        ),
        jupyter_token="",
        pgadmin_login=None,
        reader=None,
        workspaces=False,
        pg_service=seat.service,
    )
