"""SeaweedFS: all of its servers in one process, with both keys in one file."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.providers.provider import (
    PORT,
    WGET,
    Launch,
    Provider,
    memory_of_go,
)
from mlflow_compose.stack.site import Site

READY = "/healthz"


def launch(settings: Settings, site: Site) -> Launch:
    """Return how it is started; the image's entry point adds the data folder."""
    identities = credentials.seaweedfs_identities(settings)
    return Launch(
        command=(
            "server",
            "-s3",
            f"-s3.port={PORT}",
            f"-s3.config={site.secret(credentials.SEAWEEDFS_IDENTITIES)}",
            # Only S3 requires a key, so its other servers listen on the container's loopback.
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3.ip.bind=0.0.0.0",
            # The entry point's default reserves gigabytes for each bucket.
            "-master.volumePreallocate=false",
        ),
        environment=memory_of_go(settings),
        secrets=(identities,),
    )


SEAWEEDFS = Provider(
    name="seaweedfs",
    image="chrislusf/seaweedfs:4.48",
    launch=launch,
    ready=READY,
    health=(*WGET, f"http://127.0.0.1:{PORT}{READY}"),
    mark="filerldb2",
)
