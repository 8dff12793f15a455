"""rclone as S3 server: plain files, and a single key, which may do everything."""

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


def launch(settings: Settings, site: Site) -> Launch:
    """Return how it is started; it only reads its key from the environment or command line."""
    key = credentials.rclone_auth_key(settings)
    script = (
        f'export RCLONE_AUTH_KEY="$(cat {site.secret(credentials.RCLONE_AUTH_KEY)})"; '
        # An empty configuration: only this folder is served.
        f'exec rclone serve s3 --config "" --addr :{PORT} {DATA}'
    )
    return Launch(
        entrypoint=("sh", "-c"),
        command=(script,),
        environment=memory_of_go(settings),
        secrets=(key,),
    )


RCLONE = Provider(
    name="rclone",
    image="rclone/rclone:1.75.2",
    launch=launch,
    ready="/",
    # Any HTTP answer counts: an unsigned request is always refused.
    health=("sh", "-c", f"{' '.join(WGET)} http://127.0.0.1:{PORT} 2>&1 | grep -q HTTP/1"),
    has_root=False,
    refuses_check=True,
)
