"""How PostgreSQL is run."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.service import Healthcheck, PublishedPort, Service, Volume
from mlflow_compose.stack.site import LOOPBACK, Machine, Site, database_addresses

NAME = "postgres"
VOLUME = "postgres_data"
ABOUT = "Keeps experiments, runs, params, metrics and tags: MLflow's backend store."


def postgres(settings: Settings, site: Site) -> Service:
    """Return the bundled PostgreSQL server."""
    password = credentials.postgres_password(settings)
    return Service(
        name=NAME,
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


def local_postgres(settings: Settings, site: Site, machine: Machine, image: str) -> Service:
    """Return PostgreSQL without a container: the same server, listening on this machine."""
    password = credentials.postgres_password(settings)
    _, port = site.database
    data = Volume(VOLUME, f"data/{VOLUME}")
    return Service(
        name=NAME,
        about=ABOUT,
        image=image,
        restart="unless-stopped",
        command=("python", "postgres/start_postgres.py"),
        # The names are those of the official image, which this server is run as.
        environment={
            "POSTGRES_USER": settings.pg_user,
            "POSTGRES_DB": settings.pg_database,
            "POSTGRES_PASSWORD_FILE": site.secret(password),
            "PGDATA": f"{data.target}/pgdata",
            "PGPORT": str(port),
            "LISTEN_ADDRESSES": ",".join(database_addresses(settings)),
            "RUN_AS": machine.database_user,
        },
        secrets=(password,),
        volumes=(data,),
        ports=tuple(
            PublishedPort(NAME, "PG_PORT", address, port, port)
            for address in database_addresses(settings)
        ),
        healthcheck=Healthcheck(
            test=("CMD", "pg_isready", "-h", LOOPBACK, "-p", str(port), *_who(settings))
        ),
        # Ends sessions and writes everything down; TERM would wait for clients to leave.
        stop_signal="INT",
    )


def _who(settings: Settings) -> tuple[str, ...]:
    return ("-U", settings.pg_user, "-d", settings.pg_database)


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    if not settings.pg_publish:
        return ()
    return (PublishedPort(NAME, "PG_PORT", settings.stack_bind_address, settings.pg_port, 5432),)
