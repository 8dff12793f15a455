"""How the S3 server is run, whichever it is: its name, its ports, its data."""

from mlflow_compose.settings import Settings
from mlflow_compose.settings.rules import console_port
from mlflow_compose.stack import credentials
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.providers import PORT, PROVIDERS
from mlflow_compose.stack.providers.minio import MINIO
from mlflow_compose.stack.providers.provider import DATA
from mlflow_compose.stack.providers.rclone import MEMORY
from mlflow_compose.stack.service import (
    Bind,
    Healthcheck,
    PublishedPort,
    Service,
    Volume,
    from_home,
)
from mlflow_compose.stack.site import LOOPBACK, s3_address, url_host

NAME = "s3"
ABOUT = "Keeps artifacts: models, plots and files of runs, as objects in a bucket."
# Of rclone. Any answer will do: without a signature it is a refusal.
PROBE = (
    "import socket; s = socket.create_connection(({host!r}, {port}), 4); "
    r"s.sendall(b'GET / HTTP/1.0\r\n\r\n'); raise SystemExit(b'HTTP/' not in s.recv(64))"
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the bundled S3 server that S3_PROVIDER names."""
    settings = around.settings
    provider = PROVIDERS[settings.s3_provider]
    launch = provider.launch(settings, around.site)
    folder = settings.minio_volume_path
    data = Bind(from_home(folder, around.home), DATA) if folder else Volume(provider.volume, DATA)
    return Service(
        name=name,
        about=ABOUT,
        image=settings.minio_image or provider.image,
        restart="unless-stopped",
        entrypoint=launch.entrypoint,
        command=launch.command,
        environment=launch.environment,
        secrets=launch.secrets,
        volumes=(data,),
        ports=_ports(settings),
        healthcheck=Healthcheck(test=("CMD", *provider.health)),
        memory=settings.minio_memory or None,
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return rclone, which comes as a wheel: plain files in a folder, one key, no console."""
    settings = around.settings
    key = credentials.rclone_auth_key(settings)
    address, port = s3_address(settings), settings.minio_port
    probe = PROBE.format(host=url_host(address).strip("[]"), port=port)
    data = _data(settings, around.home)
    return Service(
        name=name,
        about=ABOUT,
        image=around.image,
        restart="unless-stopped",
        command=("python", "s3/start_rclone.py"),
        environment={
            "S3_ADDRESS": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            "S3_FOLDER": data.target,
            "AUTH_KEY_FILE": around.site.secret(key),
            **MEMORY,
        },
        secrets=(key,),
        volumes=(data,),
        ports=(PublishedPort(NAME, "MINIO_PORT", address, port, port, label="S3"),),
        healthcheck=Healthcheck(test=("CMD", "python", "-S", "-c", probe)),
        folder=NAME,
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.bundles_s3 else ()


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    address = s3_address(settings)
    api = PublishedPort(NAME, "MINIO_PORT", address, settings.minio_port, PORT, label="S3")
    if not (port := console_port(settings)):
        return (api,)
    variable = "MINIO_CONSOLE_ADDRESS"
    return (api, PublishedPort("console", variable, LOOPBACK, port, port, label="Console"))


def _data(settings: Settings, home: str) -> Volume | Bind:
    folder = settings.minio_volume_path
    if not folder:
        # One name, whatever serves it: here nothing else ever does.
        return Volume(MINIO.volume, f"data/{MINIO.volume}")
    return Bind(from_home(folder, home), from_home(folder, home))


S3 = Kind(
    _names,
    in_container,
    on_machine,
    volumes=frozenset(provider.volume for provider in PROVIDERS.values()),
)
