"""RustFS: works like MinIO, but has its own admin API and on-disk format."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.providers.provider import CURL, DATA, PORT, Launch, Provider
from mlflow_compose.stack.site import Site

READY = "/health/ready"


def launch(settings: Settings, site: Site) -> Launch:
    """Return how it is started; the image reads the root key from files."""
    return Launch(
        command=("rustfs",),
        environment={
            "RUSTFS_ACCESS_KEY_FILE": site.secret(credentials.MINIO_ROOT_USER),
            "RUSTFS_SECRET_KEY_FILE": site.secret(credentials.MINIO_ROOT_PASSWORD),
            "RUSTFS_ADDRESS": f":{PORT}",
            "RUSTFS_VOLUMES": DATA,
            "RUSTFS_REGION": settings.aws_default_region,
            "RUSTFS_CONSOLE_ENABLE": "false",
            # Empty: log to standard output.
            "RUSTFS_OBS_LOG_DIRECTORY": "",
        },
        secrets=(
            credentials.minio_root_user(settings),
            credentials.minio_root_password(settings),
        ),
    )


RUSTFS = Provider(
    name="rustfs",
    image="rustfs/rustfs:1.0.0",
    launch=launch,
    ready=READY,
    health=(*CURL, f"http://127.0.0.1:{PORT}{READY}"),
    key_maker="rustfs",
    mark=".rustfs.sys",
    owner=10001,
)
