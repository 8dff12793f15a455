"""How the S3 server runs: what all providers have in common."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlflow_compose.settings import Settings
from mlflow_compose.settings.rules import console_port
from mlflow_compose.stack import credentials
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.keys import seat_key
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.providers import PORT, PROVIDERS
from mlflow_compose.stack.providers.minio import MINIO
from mlflow_compose.stack.providers.provider import DATA, memory_of_go
from mlflow_compose.stack.service import Bind, SecretFile, Service, Volume, from_home
from mlflow_compose.stack.site import LOOPBACK, s3_address, url_host

if TYPE_CHECKING:
    from mlflow_compose.stack.stores import Stores

NAME = "s3"
SEATS_VOLUME = "seats_data"
SEATS_FOLDER = f"data/{SEATS_VOLUME}"
SEATS_HOLD = "artifacts of the seats"
# Files that only a class needs.
SEATS_FILES = frozenset({"s3_key.py"})
ABOUT = "MLflow's artifact store: models, plots and files of runs, as objects in a bucket."
# For rclone. Any HTTP answer counts: an unsigned request is always refused.
PROBE = (
    "import socket; s = socket.create_connection(({host!r}, {port}), 4); "
    r"s.sendall(b'GET / HTTP/1.0\r\n\r\n'); raise SystemExit(b'HTTP/' not in s.recv(64))"
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the bundled S3 server, as S3_PROVIDER chooses."""
    settings = around.settings
    provider = PROVIDERS[settings.s3_provider]
    launch = provider.launch(settings, around.site)
    folder = settings.minio_volume_path
    data = Bind(from_home(folder, around.home), DATA) if folder else Volume(provider.volume, DATA)
    return Service(
        name=name,
        about=ABOUT,
        image=settings.minio_image or provider.image,
        restart="always",
        entrypoint=launch.entrypoint,
        command=launch.command,
        environment=launch.environment,
        secrets=launch.secrets,
        volumes=(data,),
        ports=_ports(settings),
        healthcheck=Healthcheck(provider.health),
        memory=settings.minio_memory or None,
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return rclone, installed from a wheel: plain files in a folder, one key, no console."""
    settings = around.settings
    key = credentials.rclone_auth_key(settings)
    address, port = s3_address(settings), settings.minio_port
    probe = PROBE.format(host=url_host(address).strip("[]"), port=port)
    data = _data(settings, around.home)
    seats = _for_seats(around, data)
    return Service(
        name=name,
        about=ABOUT,
        image=around.image,
        restart="always",
        command=("python", "s3/start_rclone.py"),
        environment={
            "S3_ADDRESS": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            "S3_FOLDER": data.target,
            "AUTH_KEY_FILE": around.site.secret(credentials.RCLONE_AUTH_KEY),
            **memory_of_go(settings),
            **({"KEYS_FILE": around.site.secret(credentials.S3_KEYS)} if seats else {}),
        },
        secrets=(key, *seats),
        volumes=(data, *((Volume(SEATS_VOLUME, SEATS_FOLDER, holds=SEATS_HOLD),) if seats else ())),
        ports=(PublishedPort(NAME, "MINIO_PORT", address, port, port, "S3", "http"),),
        healthcheck=Healthcheck(("python", "-S", "-c", probe)),
        memory=settings.minio_memory or None,
        folder=NAME,
        unused=frozenset() if seats else SEATS_FILES,
    )


def _for_seats(around: Surroundings, data: Volume | Bind) -> tuple[SecretFile, ...]:
    """Return the keys of a class: rclone's own option gives all keys access to everything."""
    settings = around.settings
    if not settings.seats:
        return ()
    names = [seat.name for seat in settings.seats]
    folders = {seat_key(settings, name): f"{SEATS_FOLDER}/{name}" for name in names}
    own = (
        credentials.reveal(settings.minio_access_key),
        credentials.reveal(settings.minio_secret_access_key),
    )
    return (credentials.s3_keys({own: data.target, **folders}),)


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.bundles_s3 else ()


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    address = s3_address(settings)
    api = PublishedPort(NAME, "MINIO_PORT", address, settings.minio_port, PORT, "S3", "http")
    if not (port := console_port(settings)):
        return (api,)
    variable = "MINIO_CONSOLE_ADDRESS"
    return (api, PublishedPort("console", variable, LOOPBACK, port, port, "Console", "http"))


def _data(settings: Settings, home: str) -> Volume | Bind:
    folder = settings.minio_volume_path
    if not folder:
        # The folder keeps this name for existing stacks; only rclone ever uses it.
        return Volume(MINIO.volume, f"data/{MINIO.volume}")
    return Bind(from_home(folder, home), from_home(folder, home))


CAUSES: Mapping[str, Cause] = {
    "s3_down": Cause("S3 cannot be reached from mlflow", "mlflow-compose logs s3 shows why", NAME),
    "s3_key": Cause(
        "S3 refuses the application's key (MINIO_ACCESS_KEY, MINIO_SECRET_ACCESS_KEY)",
        "mlflow-compose up creates the key again",
    ),
    "s3_forbidden": Cause(
        "S3 does not allow the application's key to use the bucket (MLFLOW_BUCKET_NAME)",
        "mlflow-compose up grants access again",
    ),
    "s3_certificate": Cause(
        "the S3 server's certificate is not trusted",
        "set MINIO_STORAGE_CA_CERTS in .env to the CA certificates that signed it",
    ),
    "s3_error": Cause("S3 answered with an error", "mlflow-compose logs s3 shows more"),
    "bucket_missing": Cause(
        "the bucket (MLFLOW_BUCKET_NAME) does not exist", "mlflow-compose up creates it again"
    ),
    "object_missing": Cause(
        "MLflow reported an artifact as stored, but it is not there",
        "mlflow-compose logs mlflow shows where it was stored",
    ),
    "object_differs": Cause(
        "an artifact does not have the size that was stored",
        "mlflow-compose logs shows whether a disk is full",
    ),
    "key_too_strong": Cause(
        "the application's key may use buckets other than MLFLOW_BUCKET_NAME",
        "set a new MINIO_ACCESS_KEY in .env, then mlflow-compose up",
    ),
}
# For a server that this stack does not run: `up` cannot repair it.
EXTERNAL_CAUSES: Mapping[str, Cause] = {
    "s3_down": Cause(
        "the S3 server at MINIO_HOST and MINIO_PORT does not answer",
        "set MINIO_HOST and MINIO_PORT in .env to its address, and allow connections from this "
        "machine there",
    ),
    "s3_key": Cause(
        "the S3 server refuses MINIO_ACCESS_KEY with MINIO_SECRET_ACCESS_KEY",
        "set both in .env to a key of that server, then mlflow-compose up",
    ),
    "s3_forbidden": Cause(
        "the S3 server does not allow MINIO_ACCESS_KEY to use the bucket (MLFLOW_BUCKET_NAME)",
        "allow it there, or set another key or bucket in .env, then mlflow-compose up",
    ),
    "s3_error": Cause(
        "the S3 server answered with an error", "mlflow-compose logs mlflow shows more"
    ),
    "bucket_missing": Cause(
        "the bucket (MLFLOW_BUCKET_NAME) does not exist on the S3 server",
        "create it there, or set MLFLOW_BUCKET_CREATE=true in .env, then mlflow-compose up",
    ),
    "object_differs": Cause(
        "an artifact does not have the size that was stored",
        "mlflow-compose logs mlflow shows more; the S3 server's disk may be full",
    ),
}
AMAZON_CAUSES: Mapping[str, Cause] = {
    "s3_down": Cause(
        "Amazon S3 cannot be reached",
        "check this machine's network, and set AWS_DEFAULT_REGION in .env to the bucket's region",
    ),
}
# For services without a key.
ROLE_CAUSES: Mapping[str, Cause] = {
    "s3_key": Cause(
        "Amazon S3 refuses the credentials of this machine's role (S3_CREDENTIALS=role)",
        "check that the machine has a role (instance profile), then mlflow-compose up",
    ),
    "s3_forbidden": Cause(
        "this machine's role may not use the bucket (MLFLOW_BUCKET_NAME)",
        "allow it in the role's policy, then mlflow-compose up",
    ),
}


def causes(stores: "Stores") -> Mapping[str, Cause]:
    """Return the causes of failures of the bucket, on a bundled or an external server."""
    if not stores.artifacts.external:
        return CAUSES
    is_amazon = stores.artifacts.facts["endpoint"] is None
    amazon = {**AMAZON_CAUSES, **(ROLE_CAUSES if stores.uses_role else {})} if is_amazon else {}
    return {**CAUSES, **EXTERNAL_CAUSES, **amazon}


S3 = Kind(
    _names,
    in_container,
    on_machine,
    volumes=frozenset({SEATS_VOLUME, *(provider.volume for provider in PROVIDERS.values())}),
    causes=causes,
)
