"""Versity S3 Gateway: objects are plain files, users are in a file next to them."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.providers.provider import (
    DATA,
    PORT,
    WGET,
    Launch,
    Provider,
    memory_of_go,
)
from mlflow_compose.stack.site import Site

OBJECTS = f"{DATA}/objects"
# Not below OBJECTS, where every folder is a bucket.
USERS = f"{DATA}/versitygw-users"
# No bucket can have this name.
READY = "/_health"


def launch(settings: Settings, site: Site) -> Launch:
    """Return how it is started; it only reads the root key from the environment."""
    script = (
        f'export ROOT_ACCESS_KEY="$(cat {site.secret(credentials.MINIO_ROOT_USER)})" '
        f'ROOT_SECRET_KEY="$(cat {site.secret(credentials.MINIO_ROOT_PASSWORD)})"; '
        f"mkdir -p {OBJECTS} {USERS} && exec versitygw posix {OBJECTS}"
    )
    return Launch(
        entrypoint=("sh", "-c"),
        command=(script,),
        environment={
            "VGW_PORT": f":{PORT}",
            "VGW_REGION": settings.aws_default_region,
            "VGW_IAM_DIR": USERS,
            "VGW_HEALTH": READY,
            "VGW_KEEP_ALIVE": "true",
            # Otherwise it logs every request.
            "VGW_QUIET": "true",
            **memory_of_go(settings),
        },
        secrets=(
            credentials.minio_root_user(settings),
            credentials.minio_root_password(settings),
        ),
    )


VERSITYGW = Provider(
    name="versitygw",
    image="versity/versitygw:v1.8.0",
    launch=launch,
    ready=READY,
    health=(*WGET, f"http://127.0.0.1:{PORT}{READY}"),
    key_maker="versitygw",
    mark="versitygw-users",
)
