"""MinIO: a maintained fork with the same command, variables and format on disk."""

import re
from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack import credentials
from mlflow_compose.stack.providers.provider import (
    CURL,
    DATA,
    PORT,
    Launch,
    Provider,
    memory_target,
)
from mlflow_compose.stack.site import Site

# The only one of MinIO's three health checks that fails until buckets and users are loaded.
READY = "/minio/health/cluster"
# Requests at the same time: more than the connections of any MLflow server.
REQUESTS = 1000
# Mebibytes that MinIO reckons with for each (`cmd/handler-api.go`).
REQUEST = 3
# Mebibytes of buffers that it reserves at its start and hardly touches: they count for the limit of
# Go's runtime, but not for the machine (`cmd/erasure-server-pool.go`).
UNUSED = 120
# Mebibytes that it has touched when it is idle. Below both, each request collects all garbage.
LEAST = 88
# Includes mirrors, which keep the path, and all of MinIO's images on quay.io.
WITHDRAWN = re.compile(r"(.*/)?minio/minio([:@].*)?|quay\.io/minio/.*")


def launch(settings: Settings, site: Site) -> Launch:
    """Return how it is started; the image reads root user and password from files."""
    console = settings.minio_console_address
    return Launch(
        command=("server", DATA, *((f"--console-address={console}",) if console else ())),
        environment={
            "MINIO_ROOT_USER_FILE": site.secret(credentials.MINIO_ROOT_USER),
            "MINIO_ROOT_PASSWORD_FILE": site.secret(credentials.MINIO_ROOT_PASSWORD),
            "MINIO_REGION": settings.aws_default_region,
            "MINIO_BROWSER": "on" if console else "off",
            # No update checks: the image is pinned.
            "MINIO_UPDATE": "off",
            **_memory(settings),
        },
        secrets=(
            credentials.minio_root_user(settings),
            credentials.minio_root_password(settings),
        ),
    )


def _memory(settings: Settings) -> Mapping[str, str]:
    """Return the variables of its memory; it ignores GOMEMLIMIT (`cmd/server-rlimit.go`)."""
    if not (target := memory_target(settings)):
        return {}
    # Otherwise, it derives the number of requests from the target: it would refuse more than 31.
    limit = settings.minio_memory
    requests = mebibytes(limit) // REQUEST if limit else REQUESTS
    return {
        "MINIO_MEMLIMIT": f"{max(target, LEAST) + UNUSED}MiB",
        "MINIO_API_REQUESTS_MAX": str(requests),
    }


def is_withdrawn(image: str) -> bool:
    """Tell whether an image is one of those that MinIO withdrew, or a copy of one."""
    return bool(WITHDRAWN.fullmatch(image))


MINIO = Provider(
    name="minio",
    image="pgsty/silo:RELEASE.2026-09-16T00-00-00Z"
    "@sha256:635197cb9f36d01bee221d34d1c7d7960f6a95c48b0b6c01d99cd13bdae51a46",
    launch=launch,
    ready=READY,
    health=(*CURL, f"http://127.0.0.1:{PORT}{READY}"),
    key_maker="minio",
    mark=".minio.sys",
    metrics="/minio/v2/metrics/cluster",
)
