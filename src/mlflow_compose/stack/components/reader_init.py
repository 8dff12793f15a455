"""How reader-init runs, which creates the role that pgAdmin reads the database as."""

from collections.abc import Mapping

from mlflow_compose.stack import postgres_logins
from mlflow_compose.stack.clients import database_secrets, reader_secrets
from mlflow_compose.stack.components import mlflow
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.service import HEALTHY, NEVER, Bind, SecretFile, Service, unprivileged

NAME = "reader-init"
ABOUT = "Creates the database role that can only read, then exits."
# `sql` creates the same role; the job runs the same code.
MODULES = (
    "engines/inside/answer.py",
    "queries/inside/role.py",
    "queries/inside/tables.py",
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the job that creates the role; it runs in MLflow's image, which has psycopg2.

    The tables exist once MLflow is healthy.
    """
    job = Service(
        name=name,
        about=ABOUT,
        image=around.image,
        pull_policy=NEVER if around.build else None,
        restart="no",
        command=("python", f"/{name}/reader_init.py"),
        environment={**_environment(around), **around.no_proxy},
        secrets=_secrets(around),
        volumes=(Bind(f"./{name}", f"/{name}", read_only=True),),
        extra_hosts=around.site.extra_hosts,
        depends_on={mlflow.NAME: HEALTHY},
        folder=NAME,
        modules=MODULES,
    )
    return unprivileged(job)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same job without a container."""
    return Service(
        name=name,
        about=ABOUT,
        image=around.image,
        restart="no",
        command=("python", f"{name}/reader_init.py"),
        environment=_environment(around),
        secrets=_secrets(around),
        depends_on={mlflow.NAME: HEALTHY},
        folder=NAME,
        shared=(f"{NAME}/",),
        modules=MODULES,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.settings.pgadmin else ()


def _environment(around: Surroundings) -> Mapping[str, str]:
    site = around.site
    return {
        "PGSERVICEFILE": site.secret(postgres_logins.PG_SERVICE),
        "READER_FILE": site.secret(postgres_logins.PG_READER),
    }


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings, site, home = around.settings, around.site, around.home
    owner = database_secrets(settings, site, home)
    reader = reader_secrets(settings, site, around.identity.id, home)
    # Both need the CA certificates, if there are any.
    return tuple(dict.fromkeys((*owner, *reader)))


READER_INIT = Kind(_names, in_container, on_machine, is_job=True)
