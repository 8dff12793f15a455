"""How PostgreSQL is run."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.service import Healthcheck, PublishedPort, Service, Volume

NAME = "postgres"


def postgres(settings: Settings) -> Service:
    """Return the bundled PostgreSQL server."""
    password = credentials.postgres_password(settings)
    return Service(
        name=NAME,
        about="Keeps experiments, runs, params, metrics and tags: MLflow's backend store.",
        image=settings.postgres_image,
        restart="unless-stopped",
        environment={
            "POSTGRES_USER": settings.pg_user,
            "POSTGRES_DB": settings.pg_database,
            "POSTGRES_PASSWORD_FILE": password.path,
            # Images from 18 on expect the volume one level up; an own PGDATA fits every major.
            "PGDATA": "/var/lib/postgresql/pgdata",
        },
        secrets=(password,),
        volumes=(Volume("postgres_data", "/var/lib/postgresql"),),
        ports=_ports(settings),
        healthcheck=Healthcheck(
            # Without -h it answers for the temporary server that initdb starts.
            test=(
                "CMD",
                "pg_isready",
                "-h",
                "127.0.0.1",
                "-U",
                settings.pg_user,
                "-d",
                settings.pg_database,
            ),
        ),
        memory=settings.pg_memory or None,
    )


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    if not settings.pg_publish:
        return ()
    return (PublishedPort(NAME, "PG_PORT", settings.stack_bind_address, settings.pg_port, 5432),)
