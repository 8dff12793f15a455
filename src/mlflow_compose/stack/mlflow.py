"""How MLflow is run, and how its image is made."""

import hashlib
from collections.abc import Mapping, Sequence

from mlflow_compose.settings import Settings
from mlflow_compose.settings.model import PINNED_MLFLOW
from mlflow_compose.settings.names import is_secret_variable
from mlflow_compose.stack import bucket_init, credentials, postgres, s3
from mlflow_compose.stack.model import url_host
from mlflow_compose.stack.service import (
    COMPLETED,
    DIRECT,
    HEALTHY,
    NEVER,
    Build,
    Healthcheck,
    PublishedPort,
    SecretFile,
    Service,
    Volume,
    from_home,
)

NAME = "mlflow"
PORT = 5000
HTTP_PORT = 80
REQUIREMENTS = "requirements.txt"

# Python images have no curl. -S skips `site`, which makes this 20 ms instead of 80. It waits for a
# server that is starting, so that asking seldom does not mean noticing late.
PROBE = (
    "import socket, time; server = ('127.0.0.1', 5000); "
    "any(socket.socket().connect_ex(server) == 0 or time.sleep(0.1) for _ in range(40)); "
    "s = socket.create_connection(server, 4); "
    r"s.sendall(b'GET /health HTTP/1.0\r\n\r\n'); raise SystemExit(b' 200 ' not in s.recv(64))"
)

# MLflow checks who may read a run's artifacts, but not who may register a model from an address
# in the bucket, and would then hand out what is there. The last two are its prompts' own
# (`mlflow/prompt/constants.py`).
OWN_SOURCES = "^(mlflow-artifacts:|models:|runs:|dummy-source$|prompt-template$)"


def mlflow(
    settings: Settings, image: str, build: Build | None, lan_names: Sequence[str]
) -> Service:
    """Return the tracking server; `lan_names` are this machine's on the network that it serves."""
    secrets = _secrets(settings)
    return Service(
        name=NAME,
        about="The tracking server: web UI and REST API, and artifacts by proxy.",
        image=image,
        build=build,
        pull_policy=NEVER if build else None,
        restart="unless-stopped",
        command=_command(settings, lan_names),
        environment=_environment(settings, {secret.name: secret for secret in secrets}),
        secrets=secrets,
        # Artifacts pass through /tmp: on disk, since some are larger than memory.
        volumes=(Volume("mlflow_tmp", "/tmp"),),  # noqa: S108 - of the container
        ports=(
            PublishedPort(
                NAME, "MLFLOW_PORT", settings.stack_bind_address, settings.mlflow_port, PORT
            ),
        ),
        healthcheck=Healthcheck(test=("CMD", "python", "-S", "-c", PROBE), interval=4, timeout=10),
        depends_on={postgres.NAME: HEALTHY, bucket_init.NAME: COMPLETED},
        memory=settings.mlflow_memory or None,
        unprivileged=True,
    )


def image_name(settings: Settings, build: Build, sources: Mapping[str, str]) -> str:
    """Return a name that changes with everything that goes into the image.

    So Compose builds when something changed and not otherwise, with or without this tool, and
    two stacks share an image exactly when it is the same.
    """
    digest = hashlib.sha256()
    for part in (build.base, build.requirements, *build.install_options):
        digest.update(part.encode() + b"\0")
    for name, text in sorted(sources.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return f"mlflow_server:{settings.mlflow_version}-{digest.hexdigest()[:8]}"


def image_build(settings: Settings, lock: str, home: str) -> Build:
    """Return how the image is made.

    Args:
        settings: What the user said.
        lock: Requirements that pin every package of the default MLflow.
        home: The env file's folder as seen from that of the rendered files.
    """
    pinned = settings.mlflow_version == PINNED_MLFLOW
    # The lock is complete, and leaves out what only MLflow's clients need: no dependencies.
    options = ("--require-hashes", "--no-deps") if pinned else ()
    text = lock if pinned else _unpinned(settings.mlflow_version, lock)
    return Build(
        context="./mlflow",
        base=settings.python_image,
        requirements=text,
        install_options=("--only-binary", ":all:", "--compile-bytecode", *options),
        secrets=_build_secrets(settings, home),
    )


def _unpinned(version: str, lock: str) -> str:
    """Return requirements of another MLflow: its own dependencies, and what the stack adds."""
    added = ("boto3", "flask-wtf", "httptools", "minio", "psycopg2-binary", "uvloop")
    pins = {line.split("==")[0].lower(): line.split()[0] for line in lock.splitlines() if line}
    return "".join(f"{line}\n" for line in (f"mlflow=={version}", *(pins[name] for name in added)))


def _build_secrets(settings: Settings, home: str) -> tuple[SecretFile, ...]:
    secrets = []
    if credentials.reveal(settings.pip_index_url):
        secrets.append(credentials.pip_index_url(settings))
    if file := settings.build_ca_certs:
        secrets.append(credentials.build_ca_certs(from_home(file, home)))
    return tuple(secrets)


def _secrets(settings: Settings) -> tuple[SecretFile, ...]:
    optional = (
        credentials.auth_config(settings) if settings.mlflow_auth == "basic" else None,
        credentials.server_environment(settings),
    )
    always = (credentials.postgres_service(settings), credentials.app_key(settings))
    return (*always, *(secret for secret in optional if secret))


def _environment(settings: Settings, secrets: Mapping[str, SecretFile]) -> Mapping[str, str]:
    own = {
        "PGSERVICEFILE": secrets["pg_service.conf"].path,
        "AWS_SHARED_CREDENTIALS_FILE": secrets["s3_app_key"].path,
        "AWS_DEFAULT_REGION": settings.aws_default_region,
        "MLFLOW_S3_ENDPOINT_URL": s3.ENDPOINT,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": str(settings.mlflow_jobs).lower(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **DIRECT,
    }
    if auth := secrets.get("basic_auth.ini"):
        own["MLFLOW_AUTH_CONFIG_PATH"] = auth.path
        if _proxied(settings):
            own["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"] = OWN_SOURCES
    handed_on = {
        name: value
        for name, value in settings.server_variables.items()
        if not is_secret_variable(name, value)
    }
    return {**own, **dict(sorted(handed_on.items()))}


def _command(settings: Settings, lan_names: Sequence[str]) -> tuple[str, ...]:
    options = {
        "--host": "0.0.0.0",  # noqa: S104 - inside of the container
        "--port": str(PORT),
        "--workers": str(settings.mlflow_workers),
        # psycopg2 by name: MLflow's plain postgresql:// means another driver since SQLAlchemy 2.1.
        "--backend-store-uri": "postgresql+psycopg2:///?service=mlflow",
        **_artifact_options(settings),
        "--allowed-hosts": ",".join(_allowed_hosts(settings, lan_names)),
        **_origin_options(settings, lan_names),
        # Without the first two, a request on a kept connection waits 45 ms for a delayed ACK;
        # the last keeps the log readable: the healthcheck alone is a line every other second.
        "--uvicorn-opts": "--loop uvloop --http httptools --no-access-log",
        **({"--app-name": "basic-auth"} if settings.mlflow_auth == "basic" else {}),
    }
    arguments = [f"{option}={value}" for option, value in options.items()]
    access = "--serve-artifacts" if _proxied(settings) else "--no-serve-artifacts"
    return ("mlflow", "server", *arguments, access)


def _proxied(settings: Settings) -> bool:
    return settings.mlflow_artifact_access == "proxied"


def _artifact_options(settings: Settings) -> Mapping[str, str]:
    bucket = f"s3://{settings.mlflow_bucket_name}"
    option = "--artifacts-destination" if _proxied(settings) else "--default-artifact-root"
    return {option: bucket}


def _allowed_hosts(settings: Settings, lan_names: Sequence[str]) -> list[str]:
    # The option replaces MLflow's defaults, and a name is allowed with and without a port.
    own = url_host(settings.stack_bind_address)
    names = dict.fromkeys((NAME, "localhost", "127.0.0.1", "[::1]", own, *lan_names))
    # In a form with a * a bracket would begin a set of characters (Python's fnmatch).
    hosts = [form for name in names for form in (name, name.replace("[", "[[]") + ":*")]
    return hosts + _comma_list(settings.mlflow_allowed_hosts)


def _origin_options(settings: Settings, lan_names: Sequence[str]) -> Mapping[str, str]:
    # MLflow refuses a browser's POST from any origin but localhost, its own pages included.
    # Browsers leave the port of http out.
    port = "" if settings.mlflow_port == HTTP_PORT else f":{settings.mlflow_port}"
    origins = [f"http://{name}{port}" for name in lan_names]
    origins += _comma_list(settings.mlflow_cors_origins)
    return {"--cors-allowed-origins": ",".join(origins)} if origins else {}


def _comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
