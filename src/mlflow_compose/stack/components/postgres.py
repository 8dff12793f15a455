"""How PostgreSQL runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlflow_compose.settings import Settings
from mlflow_compose.stack import postgres_logins
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.components.postgres_options import options
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.service import Service, Volume
from mlflow_compose.stack.site import LOOPBACK, database_addresses

if TYPE_CHECKING:
    from mlflow_compose.stack.stores import Stores

READY = ("pg_isready", "-t", str(Healthcheck.attempt))
NAME = "postgres"
VOLUME = "postgres_data"
ABOUT = "MLflow's backend store: experiments, runs, params, metrics and tags."


def in_container(around: Surroundings, name: str) -> Service:
    """Return the bundled PostgreSQL server."""
    settings, site = around.settings, around.site
    password = postgres_logins.password(settings)
    return Service(
        name=name,
        about=ABOUT,
        image=settings.postgres_image,
        restart="always",
        command=("postgres", *chosen) if (chosen := options(settings)) else (),
        environment={
            "POSTGRES_USER": settings.pg_user,
            "POSTGRES_DB": settings.pg_database,
            "POSTGRES_PASSWORD_FILE": site.secret(postgres_logins.PG_PASSWORD),
            # Images from 18 on expect the volume one level up; PGDATA makes this fit every major.
            "PGDATA": "/var/lib/postgresql/pgdata",
        },
        secrets=(password,),
        volumes=(Volume(VOLUME, "/var/lib/postgresql"),),
        ports=_ports(settings),
        healthcheck=Healthcheck(
            # Without -h, the temporary server that initdb starts would count as healthy.
            (*READY, "-h", LOOPBACK, *_login(settings)),
        ),
        memory=settings.pg_memory or None,
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container, listening on this machine."""
    settings, site = around.settings, around.site
    password = postgres_logins.password(settings)
    _, port = site.database
    data = Volume(VOLUME, f"data/{VOLUME}")
    addresses = database_addresses(settings)
    return Service(
        name=name,
        about=ABOUT,
        image=around.image,
        restart="always",
        command=("python", "postgres/start_postgres.py", *options(settings)),
        # Named as in the official image.
        environment={
            "POSTGRES_USER": settings.pg_user,
            "POSTGRES_DB": settings.pg_database,
            "POSTGRES_PASSWORD_FILE": site.secret(postgres_logins.PG_PASSWORD),
            "PGDATA": f"{data.target}/pgdata",
            "PGPORT": str(port),
            "LISTEN_ADDRESSES": ",".join(addresses),
            "RUN_AS": site.database_user,
        },
        secrets=(password,),
        volumes=(data,),
        ports=tuple(_port(address, port, port) for address in addresses),
        healthcheck=Healthcheck((*READY, "-h", LOOPBACK, "-p", str(port), *_login(settings))),
        # Fast shutdown: ends sessions and flushes data. TERM waits for clients to disconnect.
        stop_signal="INT",
        memory=settings.pg_memory or None,
        folder=NAME,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.bundles_postgres else ()


def _login(settings: Settings) -> tuple[str, ...]:
    return ("-U", settings.pg_user, "-d", settings.pg_database)


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    if not settings.pg_publish:
        return ()
    return (_port(settings.stack_bind_address, settings.pg_port, 5432),)


def _port(address: str, published: int, target: int) -> PublishedPort:
    return PublishedPort(NAME, "PG_PORT", address, published, target, "PostgreSQL")


CAUSES: Mapping[str, Cause] = {
    "pg_down": Cause(
        "PostgreSQL cannot be reached from mlflow", "mlflow-compose logs postgres shows why", NAME
    ),
    # The name of a stopped container does not resolve.
    "pg_host": Cause(
        "PostgreSQL cannot be reached from mlflow", "mlflow-compose logs postgres shows why", NAME
    ),
    "pg_password": Cause(
        "PostgreSQL refuses PG_PASSWORD: the database was created with another password",
        "set PG_PASSWORD in .env back to that one; to change it, change it in the database first "
        "(ALTER ROLE)",
    ),
    "pg_missing": Cause(
        "PostgreSQL has no database PG_DATABASE or no user PG_USER: it was created with other "
        "names",
        "set PG_DATABASE and PG_USER back in .env, or create them in the database first",
    ),
    "pg_error": Cause(
        "PostgreSQL rejects MLflow's queries", "mlflow-compose logs mlflow shows more"
    ),
    "pg_no_tls": Cause(
        "the database does not support TLS, but PG_SSLMODE requires it",
        "enable TLS in the database, or set PG_SSLMODE=prefer in .env",
    ),
    "pg_tls_required": Cause(
        "the database only accepts TLS connections", "set PG_SSLMODE=require in .env"
    ),
    "pg_certificate": Cause(
        "the database's certificate is not trusted",
        "set PG_SSLROOTCERT in .env to the CA certificates that signed it",
    ),
    "pg_certificate_name": Cause(
        "the database's certificate is for another host than PG_HOST",
        "set PG_HOST in .env to a name in the certificate, or set PG_SSLMODE=verify-ca, which "
        "does not compare names",
    ),
    "pg_forbidden": Cause(
        "the database does not allow PG_USER to connect from this machine",
        "allow PG_USER to connect to PG_DATABASE from this machine's address (pg_hba.conf, GRANT "
        "CONNECT), or set another PG_USER in .env",
    ),
    "pg_rights": Cause(
        "PG_USER may not create tables in the database",
        "GRANT CREATE ON SCHEMA public TO the user, or set another PG_USER in .env",
    ),
    "pg_old": Cause(
        "the database server is too old",
        "remove POSTGRES_IMAGE from .env, or set it to PostgreSQL 12 or newer",
    ),
    "sqlite": Cause("the SQLite file cannot be used", "mlflow-compose logs mlflow shows more"),
    "row_missing": Cause(
        "MLflow reported a run as stored, but it is not in the database",
        "mlflow-compose logs mlflow shows where it was stored",
    ),
}
# For a server that this stack does not run: `up` cannot repair it.
EXTERNAL_CAUSES: Mapping[str, Cause] = {
    "pg_down": Cause(
        "the database at PG_HOST and PG_PORT does not answer",
        "set PG_HOST and PG_PORT in .env to its address, and allow connections from this machine "
        "there",
    ),
    "pg_host": Cause(
        "PG_HOST does not resolve", "set PG_HOST in .env to the database's host name or address"
    ),
    "pg_password": Cause(
        "the database refuses PG_USER with PG_PASSWORD",
        "set PG_USER and PG_PASSWORD in .env to a valid login",
    ),
    "pg_missing": Cause(
        "the database server has no database PG_DATABASE or no user PG_USER",
        "create it there (CREATE DATABASE, CREATE ROLE), or set PG_DATABASE and PG_USER in .env",
    ),
    "pg_old": Cause(
        "the database server is too old",
        "set PG_HOST in .env to a server with PostgreSQL 12 or newer",
    ),
}


def causes(stores: "Stores") -> Mapping[str, Cause]:
    """Return the causes of failures of the database, bundled or external."""
    return {**CAUSES, **EXTERNAL_CAUSES} if stores.runs.external else CAUSES


POSTGRES = Kind(_names, in_container, on_machine, volumes=frozenset({VOLUME}), causes=causes)
