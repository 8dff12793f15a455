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

NAME = "s3"
PORT = 9000
ENDPOINT = f"http://{NAME}:{PORT}"
LOOPBACK = "127.0.0.1"


def s3(settings: Settings, home: str) -> Service:
    """Return the bundled S3 server: MinIO, or a fork with the same command and variables."""
    user = credentials.minio_root_user(settings)
    password = credentials.minio_root_password(settings)
    console = settings.minio_console_address
    return Service(
        name=NAME,
        about="Keeps artifacts: models, plots and files of runs, as objects in a bucket.",
        image=settings.minio_image,
        restart="unless-stopped",
        command=("server", "/data", *((f"--console-address={console}",) if console else ())),
        environment={
            "MINIO_ROOT_USER_FILE": user.path,
            "MINIO_ROOT_PASSWORD_FILE": password.path,
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
    if not folder:
        return Volume("minio_data", "/data")
    return Bind(from_home(folder, home), "/data")


def _ports(settings: Settings) -> tuple[PublishedPort, ...]:
    # Without direct access, only this machine has business with S3: whoever knows a key id of
    # an unpatched MinIO can write.
    direct = settings.mlflow_artifact_access == "direct"
    address = settings.stack_bind_address if direct else LOOPBACK
    ports = [PublishedPort(NAME, "MINIO_PORT", address, settings.minio_port, PORT)]
    if console := console_port(settings):
        ports.append(PublishedPort("console", "MINIO_CONSOLE_ADDRESS", LOOPBACK, console, console))
    return tuple(ports)
