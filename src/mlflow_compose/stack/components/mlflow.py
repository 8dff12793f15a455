"""How MLflow is run."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.settings.names import is_secret_variable
from mlflow_compose.stack import credentials
from mlflow_compose.stack.clients import database_secrets, s3_environment, s3_secrets
from mlflow_compose.stack.components import bucket_init, postgres
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.origins import allowed_hosts, origin_options
from mlflow_compose.stack.service import (
    COMPLETED,
    HEALTHY,
    NEVER,
    STARTED,
    Healthcheck,
    PublishedPort,
    SecretFile,
    Service,
    Volume,
    unprivileged,
)
from mlflow_compose.stack.site import Site, url_host
from mlflow_compose.stack.stores import VOLUME, Stores

NAME = "mlflow"
TMP_VOLUME = "mlflow_tmp"
# What an image has as its entry point and its packages, and a process without one needs too.
SHARED = ("plugins/", "entrypoint.sh", "check_login.py", "serve.py")

# Python images have no curl. -S skips `site`, which makes this 20 ms instead of 80. It waits for a
# server that is starting, so that asking seldom does not mean noticing late.
PROBE = (
    "import socket, time; server = ({host!r}, {port}); "
    "any(socket.socket({family}).connect_ex(server) == 0 or time.sleep(0.1) for _ in range(40)); "
    "s = socket.create_connection(server, 4); "
    r"s.sendall(b'GET /health HTTP/1.0\r\n\r\n'); raise SystemExit(b' 200 ' not in s.recv(64))"
)

# MLflow checks who may read a run's artifacts, but not who may register a model from an address
# in the bucket, and would then hand out what is there. The last two are its prompts' own
# (`mlflow/prompt/constants.py`).
OWN_SOURCES = "^(mlflow-artifacts:|models:|runs:|dummy-source$|prompt-template$)"


def in_container(around: Surroundings, name: str) -> Service:
    """Return the tracking server."""
    return unprivileged(
        replace(
            _server(around, name),
            pull_policy=NEVER if around.build else None,
            # The job itself waits for S3.
            depends_on=around.present({postgres.NAME: STARTED, bucket_init.NAME: COMPLETED}),
            memory=around.settings.mlflow_memory or None,
        )
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container."""
    server, site = _server(around, name), around.site
    return replace(
        server,
        # In an image these two are its entry point and its environment.
        command=("sh", "mlflow/entrypoint.sh", "python", "-m", *server.command),
        environment={
            "PYTHONPATH": "mlflow/plugins",
            # Else the folder that it is started in, with its mlflow/, would be looked into first.
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
        about="The tracking server: web UI and REST API, and artifacts by proxy.",
        image=around.image,
        build=build,
        restart="unless-stopped",
        command=_command(around),
        environment=_environment(around),
        secrets=_secrets(around),
        # Artifacts pass through /tmp: on disk, since some are larger than memory.
        volumes=(*around.stores.volumes, Volume(TMP_VOLUME, site.tmp, is_scratch=True)),
        ports=(
            PublishedPort(
                NAME,
                "MLFLOW_PORT",
                settings.stack_bind_address,
                settings.mlflow_port,
                site.port,
                label="MLflow",
            ),
        ),
        healthcheck=Healthcheck(
            test=("CMD", "python", "-S", "-c", _probe(site)), timeout=10, waits=4
        ),
        extra_hosts=site.extra_hosts,
        # A ready-made image needs nothing of what ours is made of.
        folder=NAME if build else "",
    )


def _names(_: Surroundings) -> tuple[str, ...]:
    return (NAME,)


def _probe(site: Site) -> str:
    host = url_host(site.listen)
    family = "socket.AF_INET6" if ":" in host else ""
    return PROBE.format(host=host.strip("[]"), port=site.port, family=family)


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings, kept = around.settings, around.stores
    login = settings.mlflow_auth == "basic"
    possible = (
        *(database_secrets(settings, around.site, around.home) if kept.uses_postgres else ()),
        *(s3_secrets(settings, around.home) if kept.uses_s3 else ()),
        credentials.auth_config(settings, kept.backend_uri) if login else None,
        credentials.server_environment(settings, around.identity),
    )
    return tuple(secret for secret in possible if secret)


def _stores_environment(around: Surroundings) -> Mapping[str, str]:
    settings, site, found = around.settings, around.site, {}
    if around.stores.uses_postgres:
        service, *_ = database_secrets(settings, site, around.home)
        found["PGSERVICEFILE"] = site.secret(service)
    if around.stores.uses_s3:
        found["AWS_SHARED_CREDENTIALS_FILE"] = site.secret(credentials.app_key(settings))
        found |= s3_environment(settings, site, around.home)
        if site.s3:
            found["MLFLOW_S3_ENDPOINT_URL"] = site.s3
    return found


def _environment(around: Surroundings) -> Mapping[str, str]:
    settings = around.settings
    own = {
        **_stores_environment(around),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": str(settings.mlflow_jobs).lower(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Empty: its own list of models. Asking for a newer one hangs where there is no Internet.
        "MLFLOW_MODEL_CATALOG_URI": "",
        # Each worker remembers these for itself, for 60 and 600 s: one would go on without a new
        # webhook or budget that another one was told of.
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
        "MLFLOW_GATEWAY_BUDGET_REFRESH_INTERVAL": "0",
        **around.no_proxy,
    }
    if settings.mlflow_auth == "basic":
        auth = credentials.auth_config(settings, around.stores.backend_uri)
        own["MLFLOW_AUTH_CONFIG_PATH"] = around.site.secret(auth)
        if _proxied(settings):
            own["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"] = OWN_SOURCES
            # Read by the plugin `own_locations`, for experiments and what is in them.
            own["OWN_LOCATIONS_ONLY"] = "true"
    handed_on = {
        name: value
        for name, value in settings.server_variables.items()
        if not is_secret_variable(name, value)
    }
    return {**own, **dict(sorted(handed_on.items()))}


def _command(around: Surroundings) -> tuple[str, ...]:
    settings, site, lan_names = around.settings, around.site, around.lan_names
    options = {
        "--host": site.listen,
        "--port": str(site.port),
        "--workers": str(settings.mlflow_workers),
        "--backend-store-uri": around.stores.backend_uri,
        **_artifact_options(settings, around.stores),
        "--allowed-hosts": ",".join(allowed_hosts(settings, lan_names)),
        **origin_options(settings, lan_names),
        # Without the first two, a request on a kept connection waits 45 ms for a delayed ACK;
        # the last keeps the log readable: the healthcheck alone is a line every five seconds.
        "--uvicorn-opts": "--loop uvloop --http httptools --no-access-log",
        **({"--app-name": "basic-auth"} if settings.mlflow_auth == "basic" else {}),
    }
    arguments = [f"{option}={value}" for option, value in options.items()]
    return ("mlflow", "server", *arguments, "--serve-artifacts")


def _proxied(settings: Settings) -> bool:
    return settings.mlflow_artifact_access == "proxied"


def _artifact_options(settings: Settings, stores: Stores) -> Mapping[str, str]:
    # Also with direct access: experiments that were made before it have addresses of the server.
    served = {"--artifacts-destination": stores.artifact_uri}
    direct = {"--default-artifact-root": stores.artifact_uri}
    return served if _proxied(settings) else {**served, **direct}


MLFLOW = Kind(_names, in_container, on_machine, volumes=frozenset({VOLUME, TMP_VOLUME}))
