"""How MLflow runs."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.stack import credentials
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.clients import database_secrets, s3_secrets
from mlflow_compose.stack.components import bucket_init, postgres
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.components.mlflow_options import command, environment
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.probe import http_healthcheck
from mlflow_compose.stack.service import (
    COMPLETED,
    HEALTHY,
    NEVER,
    STARTED,
    SecretFile,
    Service,
    Volume,
    unprivileged,
)
from mlflow_compose.stack.stores import VOLUME, Stores

NAME = "mlflow"
TMP_VOLUME = "mlflow_tmp"
# Page that answers when the server works.
HEALTH = "/health"
# Seconds for requests in progress, such as uploads, when one of several servers is stopped.
STOP_SECONDS = 60
# Parts of the image that the server needs without a container, too.
SHARED = (
    *("plugins/", "schema/", "entrypoint.sh"),
    *("check_login.py", "migrate.py", "own_folder.py", "serve.py", "stop_listening.py"),
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the tracking server."""
    return unprivileged(
        replace(
            _server(around, name),
            pull_policy=NEVER if around.build else None,
            # bucket-init already waits for S3.
            depends_on=around.present({postgres.NAME: STARTED, bucket_init.NAME: COMPLETED}),
        )
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container."""
    server, site = _server(around, name), around.site
    return replace(
        server,
        # The image has both in its entry point and environment.
        command=("sh", "mlflow/entrypoint.sh", "python", "-m", *server.command),
        environment={
            "PYTHONPATH": "mlflow/plugins",
            # Otherwise the working directory, with its mlflow/, would come first on sys.path.
            "PYTHONSAFEPATH": "1",
            "SECRETS_DIR": site.secrets,
            "TMPDIR": site.tmp,
            **server.environment,
        },
        depends_on=around.present({postgres.NAME: HEALTHY, bucket_init.NAME: COMPLETED}),
        shared=tuple(f"{NAME}/{file}" for file in SHARED),
    )


def _server(around: Surroundings, name: str) -> Service:
    settings, site, build = around.settings, around.site, around.build
    return Service(
        name=name,
        about="The tracking server: web UI, REST API and artifact proxy.",
        image=around.image,
        build=build,
        restart="always",
        command=command(around),
        environment=environment(around),
        secrets=_secrets(around),
        # Artifacts pass through /tmp: on disk, because some are larger than memory.
        volumes=(*around.stores.volumes, Volume(TMP_VOLUME, site.tmp, is_scratch=True)),
        ports=(
            PublishedPort(
                name,
                "MLFLOW_PORT",
                settings.stack_bind_address,
                settings.mlflow_port,
                site.port,
                "MLflow",
                "http",
                is_proxied=True,
            ),
        ),
        healthcheck=http_healthcheck(site.listen, site.port, HEALTH),
        extra_hosts=site.extra_hosts,
        memory=settings.mlflow_memory or None,
        processes=settings.mlflow_workers,
        replicas=settings.mlflow_replicas,
        stop_seconds=STOP_SECONDS if settings.mlflow_replicas > 1 else None,
        # A ready-made image needs no build files.
        folder=NAME if build else "",
    )


def _names(_: Surroundings) -> tuple[str, ...]:
    return (NAME,)


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings, stores = around.settings, around.stores
    login = settings.mlflow_auth == "basic"
    possible = (
        *(database_secrets(settings, around.site, around.home) if stores.uses_postgres else ()),
        *(s3_secrets(settings, around.home) if stores.uses_s3 else ()),
        credentials.auth_config(settings, stores.backend_uri) if login else None,
        credentials.server_environment(settings, around.identity),
    )
    return tuple(secret for secret in possible if secret)


CAUSES: Mapping[str, Cause] = {
    "host_refused": Cause(
        "MLflow refuses the Host header of requests to this name",
        "add the name to MLFLOW_ALLOWED_HOSTS in .env, then mlflow-compose up",
    ),
    "mlflow_down": Cause(
        "MLflow does not answer inside its network", "mlflow-compose logs mlflow shows why", NAME
    ),
    "mlflow_error": Cause("MLflow answered with an error", "mlflow-compose logs mlflow shows more"),
    "past_the_proxy": Cause(
        "MLflow tells its clients to bypass the proxy and use an address that only it can reach",
        "remove MLFLOW_IMAGE from .env: the image that is built here does not do that",
    ),
    "login_refused": Cause(
        "MLflow refuses MLFLOW_ADMIN_USERNAME with MLFLOW_ADMIN_PASSWORD",
        "set MLFLOW_ADMIN_PASSWORD in .env to the admin's current password",
    ),
    "workspaces_off": Cause(
        "there is data in workspaces, and MLFLOW_WORKSPACES is false",
        "set MLFLOW_WORKSPACES=true in .env, then mlflow-compose up; to do without workspaces, see "
        "docs/how-to/workspaces.md",
    ),
    "not_published": Cause(
        "MLflow is running, but its port is not published on this machine",
        "mlflow-compose up publishes it again; a firewall or a proxy may be in the way",
    ),
    "no_answer": Cause(
        "MLflow answers in its network, but not on this machine",
        "run mlflow-compose verify again; a firewall or a proxy may be in the way",
    ),
}


def causes(_: Stores) -> Mapping[str, Cause]:
    """Return the causes of failures of the tracking server."""
    return CAUSES


MLFLOW = Kind(
    _names, in_container, on_machine, volumes=frozenset({VOLUME, TMP_VOLUME}), causes=causes
)
