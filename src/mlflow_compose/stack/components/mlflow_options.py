"""Command line and environment of the tracking server."""

from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.settings.names import is_secret_variable
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack import credentials, postgres_logins
from mlflow_compose.stack.clients import s3_environment, s3_login
from mlflow_compose.stack.components.kind import Surroundings
from mlflow_compose.stack.origins import allowed_hosts, origin_options
from mlflow_compose.stack.stores import Stores

# MLflow checks permissions to read a run's artifacts, but not to register a model from a URI in the
# bucket, whose objects it would then serve. Prompts use the last two
# (`mlflow/prompt/constants.py`).
OWN_SOURCES = "^(mlflow-artifacts:|models:|runs:|dummy-source$|prompt-template$)"

# glibc keeps pools of freed memory, and blocks of megabytes in them once one was freed. Two pools
# are enough, and large blocks go back to the system.
ALLOCATOR = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}


def command(around: Surroundings) -> tuple[str, ...]:
    """Return the command that starts the server."""
    settings, site = around.settings, around.site
    names = (settings, around.lan_names, around.certificate)
    options = {
        "--host": site.listen,
        "--port": str(site.port),
        "--workers": str(settings.mlflow_workers),
        "--backend-store-uri": around.stores.backend_uri,
        **_artifact_options(settings, around.stores),
        "--allowed-hosts": ",".join(allowed_hosts(*names)),
        **origin_options(*names),
        # Without the first two, a request on a kept-alive connection waits 45 ms for a delayed ACK;
        # the last keeps the log readable: the healthcheck alone is a line every ten seconds.
        "--uvicorn-opts": "--loop uvloop --http httptools --no-access-log",
        **({"--app-name": "basic-auth"} if settings.mlflow_auth == "basic" else {}),
    }
    arguments = [f"{option}={value}" for option, value in options.items()]
    return ("mlflow", "server", *arguments, "--serve-artifacts")


def environment(around: Surroundings) -> Mapping[str, str]:
    """Return the variables of the server: the stack's, then those of the env file."""
    settings = around.settings
    own = {
        **_stores_environment(around),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": str(settings.mlflow_jobs).lower(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **({"MLFLOW_ENABLE_WORKSPACES": "true"} if settings.mlflow_workspaces else {}),
        **ALLOCATOR,
        **_worker_memory(settings),
        # Empty: its built-in list of models. Fetching a newer one hangs without Internet access.
        "MLFLOW_MODEL_CATALOG_URI": "",
        # Each worker caches these for 60 and 600 s, and would miss a new webhook or budget that
        # another worker stored.
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
        "MLFLOW_GATEWAY_BUDGET_REFRESH_INTERVAL": "0",
        **around.no_proxy,
    }
    if settings.mlflow_auth == "basic":
        own["MLFLOW_AUTH_CONFIG_PATH"] = around.site.secret(credentials.AUTH_CONFIG)
        if _proxied(settings):
            own["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"] = OWN_SOURCES
            # Read by the plugin `own_locations`, for experiments and their runs.
            own["OWN_LOCATIONS_ONLY"] = "true"
    passed_through = {
        name: value
        for name, value in settings.server_variables.items()
        if not is_secret_variable(name, value)
    }
    return {**own, **dict(sorted(passed_through.items()))}


def _worker_memory(settings: Settings) -> Mapping[str, str]:
    """Return the variable of `serve.py`, in mebibytes."""
    limit = settings.mlflow_worker_memory
    return {"WORKER_MEMORY": str(mebibytes(limit))} if limit else {}


def _stores_environment(around: Surroundings) -> Mapping[str, str]:
    settings, site, found = around.settings, around.site, {}
    if around.stores.uses_postgres:
        found["PGSERVICEFILE"] = site.secret(postgres_logins.PG_SERVICE)
    if around.stores.uses_s3:
        found |= s3_login(settings, site)
        found |= s3_environment(settings, site, around.home)
        if around.stores.bundles_s3:
            # Read by the plugin `proxied_s3`.
            found["BUNDLED_S3"] = "true"
        if site.s3:
            found["MLFLOW_S3_ENDPOINT_URL"] = site.s3
    return found


def _proxied(settings: Settings) -> bool:
    return settings.mlflow_artifact_access == "proxied"


def _artifact_options(settings: Settings, stores: Stores) -> Mapping[str, str]:
    # Also with direct access: older experiments have URIs of the artifact proxy.
    served = {"--artifacts-destination": stores.artifact_uri}
    direct = {"--default-artifact-root": stores.artifact_uri}
    return served if _proxied(settings) else {**served, **direct}
