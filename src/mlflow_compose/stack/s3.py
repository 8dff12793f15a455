"""How the S3 server is run."""

from mlflow_compose.settings import Settings
from mlflow_compose.settings.rules import console_port
from mlflow_compose.stack import credentials
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
PORT = 9000
VOLUME = "minio_data"
# In a folder that holds data of MinIO.
MINIO_MARK = ".minio.sys"


def s3(settings: Settings, site: Site, home: str) -> Service:
    """Return the bundled S3 server: MinIO, or a fork with the same command and variables."""
    user = credentials.minio_root_user(settings)
    password = credentials.minio_root_password(settings)
    console = settings.minio_console_address
    return Service(
        name=NAME,
        about=ABOUT,
        image=settings.minio_image,
        restart="unless-stopped",
        command=("server", "/data", *((f"--console-address={console}",) if console else ())),
        environment={
            "MINIO_ROOT_USER_FILE": site.secret(user),
            "MINIO_ROOT_PASSWORD_FILE": site.secret(password),
            "MINIO_REGION": settings.aws_default_region,
            "MINIO_BROWSER": "on" if console else "off",
            # No calls home for new versions: the image is pinned.
            "MINIO_UPDATE": "off",
        },
        secrets=(user, password),
        volumes=(_data(settings, home),),
        ports=_ports(settings),
        healthcheck=Healthcheck(
            test=("CMD", "curl", "-fsS", f"http://127.0.0.1:{PORT}/minio/health/ready"),
            # The first that others wait for: bucket-init, and MLflow for that.
            interval=1,
        ),
        memory=settings.minio_memory or None,
    )


def _data(settings: Settings, home: str) -> Volume | Bind:
    folder = settings.minio_volume_path
    return Bind(from_home(folder, home), "/data") if folder else Volume(VOLUME, "/data")


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    address = s3_address(settings)
    ports = [PublishedPort(NAME, "MINIO_PORT", address, settings.minio_port, PORT)]
    if console := console_port(settings):
        ports.append(PublishedPort("console", "MINIO_CONSOLE_ADDRESS", LOOPBACK, console, console))
    return tuple(ports)
