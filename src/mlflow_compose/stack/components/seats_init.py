"""How seats-init runs, which creates the databases and the buckets of a class."""

import json
from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials, postgres_logins
from mlflow_compose.stack.clients import database_secrets
from mlflow_compose.stack.components import bucket_init, mlflow, postgres
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.seats import CONNECTIONS, bucket_of, seat_settings
from mlflow_compose.stack.service import (
    COMPLETED,
    HEALTHY,
    NEVER,
    Bind,
    SecretFile,
    Service,
    Volume,
    unprivileged,
)

NAME = "seats-init"
ABOUT = "Creates a database, a bucket and their keys for each seat, then exits."
SEATS = "seats.json"
# MLflow's entry point in the image, and its folder.
ENTRY_FOLDER = "/opt/entrypoint"
ENTRY_POINT = f"{ENTRY_FOLDER}/entrypoint.sh"


def in_container(around: Surroundings, name: str) -> Service:
    """Return the job; it runs in MLflow's image, which has psycopg2, boto3 and MLflow's schema."""
    job = Service(
        name=name,
        about=ABOUT,
        image=around.image,
        pull_policy=NEVER if around.build else None,
        restart="no",
        command=("python", f"/{name}/seats_init.py"),
        environment={
            **bucket_init.container_environment(around),
            **_environment(around),
            # It creates buckets and keys in the same way as bucket-init.
            "PYTHONPATH": f"/{bucket_init.NAME}:{ENTRY_FOLDER}",
            **around.no_proxy,
        },
        secrets=(*bucket_init.container_secrets(around), *_secrets(around)),
        # MLflow cannot be imported without a folder for temporary files.
        volumes=(*_programs(name), Volume(mlflow.TMP_VOLUME, around.site.tmp, is_scratch=True)),
        extra_hosts=around.site.extra_hosts,
        depends_on=_depends_on(around),
        folder=NAME,
        is_independent=True,
    )
    return unprivileged(job)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same job without a container; each seat's key has a folder of its own."""
    return Service(
        name=name,
        about=ABOUT,
        image=around.image,
        restart="no",
        command=("python", f"{name}/seats_init.py"),
        environment={
            **bucket_init.environment(around),
            **_environment(around),
            "PYTHONPATH": f"{bucket_init.NAME}:mlflow",
            "TMPDIR": around.site.tmp,
            **around.no_proxy,
        },
        secrets=(*bucket_init.secrets(around), *_secrets(around)),
        depends_on=_depends_on(around),
        folder=NAME,
        shared=(f"{NAME}/",),
        is_independent=True,
    )


def seats_file(settings: Settings, stack_id: str) -> SecretFile:
    """Return what the job creates: the names, the passwords and the keys of all seats."""
    entries = []
    for seat in settings.seats:
        own = seat_settings(settings, seat)
        entries.append(
            {
                "name": seat.name,
                "database": own.pg_database,
                "password": credentials.reveal(own.pg_password),
                "login": credentials.reveal(own.mlflow_admin_password),
                "connections": CONNECTIONS,
                "bucket": bucket_of(settings, seat),
                "key_id": credentials.reveal(own.minio_access_key),
                "secret": credentials.reveal(own.minio_secret_access_key),
            }
        )
    text = json.dumps({"stack": stack_id, "seats": entries}, indent=2) + "\n"
    return SecretFile(SEATS, text, "Passwords and keys of all seats, only for seats-init.")


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.settings.seats else ()


def _programs(name: str) -> tuple[Bind, ...]:
    return tuple(
        Bind(f"./{folder}", f"/{folder}", read_only=True) for folder in (name, bucket_init.NAME)
    )


def _environment(around: Surroundings) -> Mapping[str, str]:
    site = around.site
    return {
        "PGSERVICEFILE": site.secret(postgres_logins.PG_SERVICE),
        "SEATS_FILE": site.secret(SEATS),
    }


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings = around.settings
    return (
        *database_secrets(settings, around.site, around.home),
        seats_file(settings, around.identity.id),
    )


def _depends_on(around: Surroundings) -> Mapping[str, str]:
    return around.present({postgres.NAME: HEALTHY, bucket_init.NAME: COMPLETED})


SEATS_INIT = Kind(_names, in_container, on_machine, is_job=True)
