"""How PostgreSQL is run."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.service import Healthcheck, PublishedPort, Service, Volume
from mlflow_compose.stack.site import LOOPBACK, database_addresses

NAME = "postgres"
VOLUME = "postgres_data"
ABOUT = "Keeps experiments, runs, params, metrics and tags: MLflow's backend store."


def in_container(around: Surroundings, name: str) -> Service:
    """Return the bundled PostgreSQL server."""
    settings, site = around.settings, around.site
    password = credentials.postgres_password(settings)
    return Service(
        name=name,
        about=ABOUT,
        image=settings.postgres_image,
        restart="unless-stopped",
        environment={
            "POSTGRES_USER": settings.pg_user,
            "POSTGRES_DB": settings.pg_database,
            "POSTGRES_PASSWORD_FILE": site.secret(password),
            # Images from 18 on expect the volume one level up; an own PGDATA fits every major.
            "PGDATA": "/var/lib/postgresql/pgdata",
        },
        secrets=(password,),
        volumes=(Volume(VOLUME, "/var/lib/postgresql"),),
        ports=_ports(settings),
        healthcheck=Healthcheck(
            # Without -h it answers for the temporary server that initdb starts.
            test=("CMD", "pg_isready", "-h", LOOPBACK, *_who(settings)),
        ),
        memory=settings.pg_memory or None,
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return PostgreSQL without a container: the same server, listening on this machine."""
    settings, site = around.settings, around.site
    password = credentials.postgres_password(settings)
    _, port = site.database
    data = Volume(VOLUME, f"data/{VOLUME}")
    addresses = database_addresses(settings)
    return Service(
        name=name,
        about=ABOUT,
        image=around.image,
        restart="unless-stopped",
        command=("python", "postgres/start_postgres.py"),
        # The names are those of the official image, which this server is run as.
        environment={
            "POSTGRES_USER": settings.pg_user,
            "POSTGRES_DB": settings.pg_database,
            "POSTGRES_PASSWORD_FILE": site.secret(password),
            "PGDATA": f"{data.target}/pgdata",
            "PGPORT": str(port),
            "LISTEN_ADDRESSES": ",".join(addresses),
            "RUN_AS": site.database_user,
        },
        secrets=(password,),
        volumes=(data,),
        ports=tuple(PublishedPort(NAME, "PG_PORT", address, port, port) for address in addresses),
        healthcheck=Healthcheck(
            test=("CMD", "pg_isready", "-h", LOOPBACK, "-p", str(port), *_who(settings))
        ),
        # Ends sessions and writes everything down; TERM would wait for clients to leave.
        stop_signal="INT",
        folder=NAME,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.bundles_postgres else ()


def _who(settings: Settings) -> tuple[str, ...]:
    return ("-U", settings.pg_user, "-d", settings.pg_database)


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    if not settings.pg_publish:
        return ()
    return (PublishedPort(NAME, "PG_PORT", settings.stack_bind_address, settings.pg_port, 5432),)


POSTGRES = Kind(_names, in_container, on_machine, volumes=frozenset({VOLUME}))
