"""How the S3 server is run, whichever it is: its name, its ports, its data."""

from mlflow_compose.settings import Settings
from mlflow_compose.settings.rules import console_port
from mlflow_compose.stack.providers import PORT, PROVIDERS
from mlflow_compose.stack.providers.provider import DATA
from mlflow_compose.stack.service import (
    Bind,
    Healthcheck,
    PublishedPort,
    Service,
    Volume,
    from_home,
)
from mlflow_compose.stack.site import LOOPBACK, Site, s3_address

NAME = "s3"
ABOUT = "Keeps artifacts: models, plots and files of runs, as objects in a bucket."


def s3(settings: Settings, site: Site, home: str) -> Service:
    """Return the bundled S3 server that S3_PROVIDER names."""
    provider = PROVIDERS[settings.s3_provider]
    launch = provider.launch(settings, site)
    folder = settings.minio_volume_path
    return Service(
        name=NAME,
        about=ABOUT,
        image=settings.minio_image or provider.image,
        restart="unless-stopped",
        entrypoint=launch.entrypoint,
        command=launch.command,
        environment=launch.environment,
        secrets=launch.secrets,
        volumes=(Bind(from_home(folder, home), DATA) if folder else Volume(provider.volume, DATA),),
        ports=_ports(settings),
        healthcheck=Healthcheck(test=("CMD", *provider.health)),
        memory=settings.minio_memory or None,
    )


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    address = s3_address(settings)
    ports = [PublishedPort(NAME, "MINIO_PORT", address, settings.minio_port, PORT)]
    if console := console_port(settings):
        ports.append(PublishedPort("console", "MINIO_CONSOLE_ADDRESS", LOOPBACK, console, console))
    return tuple(ports)
