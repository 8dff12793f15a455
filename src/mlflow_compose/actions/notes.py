"""What one should know of a stack before it starts, though nothing is wrong."""

import re
import stat
from collections.abc import Iterator

from mlflow_compose.actions.plan import Plan
from mlflow_compose.stack import Stack

OTHERS = stat.S_IRGRP | stat.S_IROTH
# Also of a mirror, which keeps the path; what MinIO had on quay.io is closed as a whole.
WITHDRAWN = re.compile(r"(.*/)?minio/minio([:@].*)?|quay\.io/minio/.*")


def notes(plan: Plan) -> Iterator[str]:
    """Yield what is odd about the env file, and what follows from it."""
    env_file, loaded = plan.paths.env_file, plan.loaded
    without_docker = not plan.stack.site.in_containers
    if env_file.stat().st_mode & OTHERS:
        yield f"others may read {env_file.name}: chmod 600 it"
    yield from loaded.notes
    if loaded.overrides:
        yield f"from the environment, not from {env_file.name}: {', '.join(loaded.overrides)}"
    if without_docker and loaded.settings.has_memory_limits:
        yield "MLFLOW_MEMORY, PG_MEMORY and MINIO_MEMORY limit nothing without Docker"
    image = loaded.settings.minio_image
    if not without_docker and is_withdrawn(image):
        yield (
            f"MINIO_IMAGE is {image}: MinIO withdrew its images in 2026 and mends nothing in them; "
            "leave MINIO_IMAGE out of .env for a maintained fork that reads the same data"
        )
    yield from key_notes(plan.stack)


def key_notes(stack: Stack) -> Iterator[str]:
    """Say whether the application's key may do more than it needs."""
    if stack.has_one_key:
        server = stack.stores.artifacts.facts["provider"]
        yield (
            f"the S3 server {server} has one key for everything: MINIO_ACCESS_KEY is not limited "
            "to the bucket"
        )


def is_withdrawn(image: str) -> bool:
    """Tell whether an image is one of those that MinIO withdrew, or a copy of one."""
    return bool(WITHDRAWN.fullmatch(image))
