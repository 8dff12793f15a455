"""How pgAdmin runs: the database in a browser, as a role that can only read."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.settings.pgadmin import PGADMIN_EMAIL
from mlflow_compose.stack import credentials
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.clients import reader_secrets
from mlflow_compose.stack.components import reader_init
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.probe import http_healthcheck
from mlflow_compose.stack.service import COMPLETED, NEVER, Service, Volume, unprivileged
from mlflow_compose.stack.stores import Stores

NAME = "pgadmin"
PORT = 5050
DATA_VOLUME, DATA = "pgadmin_data", "/var/lib/pgadmin"
# Parts of the image that the server needs without a container, too.
SHARED = ("start_pgadmin.py", "stack_pgadmin.py", "pgadmin_options.py")


def in_container(around: Surroundings, name: str) -> Service:
    """Return pgAdmin, which may write to its own data only."""
    server = replace(
        _server(around, name, PORT, DATA),
        command=("python", f"/opt/{name}-server/start_pgadmin.py"),
        pull_policy=NEVER,
    )
    return unprivileged(server)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container."""
    port = around.settings.pgadmin_port + around.site.offset
    server = _server(around, name, port, f"data/{DATA_VOLUME}")
    return replace(
        server,
        command=("python", f"{name}/start_pgadmin.py"),
        environment={"SECRETS_DIR": around.site.secrets, **server.environment},
        shared=tuple(f"{NAME}/{file}" for file in SHARED),
    )


def _server(around: Surroundings, name: str, port: int, data: str) -> Service:
    settings, site, image = around.settings, around.site, around.images[name]
    return Service(
        name=name,
        about="pgAdmin: the tables of runs in a browser, which it can only read.",
        image=image.name,
        build=image.build,
        restart="unless-stopped",
        environment={
            "PGADMIN_ADDRESS": site.listen,
            "PGADMIN_PORT": str(port),
            "PGADMIN_DATA": data,
            "PGADMIN_EMAIL": PGADMIN_EMAIL,
        },
        secrets=(
            credentials.pgadmin_password(settings),
            *reader_secrets(settings, site, around.identity.id, around.home),
        ),
        # What it keeps are preferences and saved queries.
        volumes=(Volume(DATA_VOLUME, data, is_scratch=True),),
        ports=(
            PublishedPort(
                NAME,
                "PGADMIN_PORT",
                settings.stack_bind_address,
                settings.pgadmin_port,
                port,
                "pgAdmin",
                "http",
                is_proxied=True,
            ),
        ),
        healthcheck=http_healthcheck(site.listen, port, "/misc/ping"),
        extra_hosts=site.extra_hosts,
        depends_on={reader_init.NAME: COMPLETED},
        memory=settings.pgadmin_memory or None,
        # Ends at once; with TERM, gunicorn waits for connections that browsers keep open.
        stop_signal="INT",
        folder=NAME,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.settings.pgadmin else ()


CAUSES: Mapping[str, Cause] = {
    "pgadmin_down": Cause(
        "pgAdmin does not answer on this machine", "mlflow-compose logs pgadmin shows why", NAME
    ),
    "pgadmin_password": Cause(
        "pgAdmin refuses PGADMIN_PASSWORD",
        "mlflow-compose down and mlflow-compose up start it with the password in .env",
    ),
    "pgadmin_open": Cause(
        "pgAdmin answers without a login, so anyone who reaches it can read the database",
        "remove what turns the login off from compose/docker-compose.override.yaml, then "
        "mlflow-compose up",
    ),
    "pgadmin_database": Cause(
        "pgAdmin cannot read the database",
        "mlflow-compose logs reader-init shows whether its role was created",
    ),
    "pgadmin_error": Cause("pgAdmin cannot be used", "mlflow-compose logs pgadmin shows more"),
}


def causes(_: Stores) -> Mapping[str, Cause]:
    """Return the causes of failures of pgAdmin."""
    return CAUSES


PGADMIN = Kind(
    _names,
    in_container,
    on_machine,
    volumes=frozenset({DATA_VOLUME}),
    is_leaf=True,
    causes=causes,
)
