"""How psql and pg_dump run: beside the services, when a command needs them."""

from collections.abc import Mapping

from mlflow_compose.stack import certificates, postgres_logins
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.service import SecretFile, Service, unprivileged

NAME = "postgres-client"


def in_container(around: Surroundings, name: str) -> Service:
    """Return the clients of the image of PostgreSQL; an external server needs them as well."""
    client = Service(
        name=name,
        about="psql and pg_dump for the database: docker compose run --rm postgres-client.",
        image=around.settings.postgres_image,
        restart="no",
        # The image's own entry point would look for a database of its own.
        entrypoint=("psql",),
        command=(f"service={postgres_logins.OWNER}",),
        environment=_environment(around),
        secrets=_secrets(around),
        extra_hosts=around.site.extra_hosts,
        is_tool=True,
    )
    return unprivileged(client)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the clients that are installed with the bundled server."""
    return Service(
        name=name,
        about="psql and pg_dump for the database.",
        image=around.image,
        restart="no",
        command=("psql", f"service={postgres_logins.OWNER}"),
        environment=_environment(around),
        secrets=_secrets(around),
        is_tool=True,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.uses_postgres else ()


def _environment(around: Surroundings) -> Mapping[str, str]:
    return {"PGSERVICEFILE": around.site.secret(postgres_logins.PG_CLIENT)}


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings, site = around.settings, around.site
    trusted = certificates.postgres_ca_certs(settings, around.home)
    path = site.certificates(trusted) if trusted else ""
    client = postgres_logins.client(settings, around.identity.id, site.database, path)
    return (client, trusted) if trusted else (client,)


POSTGRES_CLIENT = Kind(_names, in_container, on_machine, is_leaf=True)
