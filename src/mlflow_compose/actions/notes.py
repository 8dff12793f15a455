"""Notes that `up` prints about a stack before it starts."""

import stat
from collections.abc import Iterator

from mlflow_compose.actions.certificates import expiry_notes
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.versions import migrates_itself
from mlflow_compose.stack import Stack, is_withdrawn

OTHERS = stat.S_IRGRP | stat.S_IROTH


def notes(plan: Plan) -> Iterator[str]:
    """Yield notes about the env file and its effects."""
    env_file, loaded = plan.paths.env_file, plan.loaded
    without_docker = not plan.stack.site.in_containers
    if env_file.stat().st_mode & OTHERS:
        yield f"other users may read {env_file.name}: chmod 600 {env_file.name}"
    yield from loaded.notes
    if loaded.overrides:
        yield f"from the environment, not from {env_file.name}: {', '.join(loaded.overrides)}"
    if without_docker and loaded.settings.has_memory_limits:
        yield (
            "MLFLOW_MEMORY, PG_MEMORY, MINIO_MEMORY, JUPYTER_MEMORY and PGADMIN_MEMORY have no "
            "effect without Docker"
        )
    yield from ignored_notes(plan)
    image = loaded.settings.minio_image
    if not without_docker and is_withdrawn(image):
        yield (
            f"MINIO_IMAGE is {image}: MinIO withdrew its images in 2026 and no longer fixes them; "
            "remove MINIO_IMAGE from .env to use a maintained fork that reads the same data"
        )
    if migrates_itself(plan):
        yield "the tables of the database are migrated to a newer MLflow, which cannot be undone"
    yield from expiry_notes(plan.stack.certificate)
    yield from key_notes(plan.stack)
    yield from workspace_notes(plan.stack)


def ignored_notes(plan: Plan) -> Iterator[str]:
    """Yield a note about settings that are set, but have no effect on the target."""
    if ignored := plan.target.ignored(plan.loaded.settings):
        verb = "has" if len(ignored) == 1 else "have"
        in_cluster = plan.stack.site.namespace is not None
        where = "in a cluster (docs/how-to/kubernetes.md)" if in_cluster else "without Docker"
        yield f"{', '.join(ignored)} {verb} no effect {where}"


def key_notes(stack: Stack) -> Iterator[str]:
    """Yield a note if the application's key may do more than it needs."""
    # With a class, each key has a folder of its own.
    if stack.has_one_key and not stack.seats:
        server = stack.stores.artifacts.facts["provider"]
        yield (
            f"the S3 server {server} has one key for everything: MINIO_ACCESS_KEY is not limited "
            "to the bucket"
        )


def workspace_notes(stack: Stack) -> Iterator[str]:
    """Yield a note if workspaces keep no user out."""
    if stack.workspaces and stack.login is None:
        yield "without a login (MLFLOW_AUTH=basic), everyone can use every workspace"
    elif stack.workspaces and stack.artifact_access == "direct":
        yield (
            "with MLFLOW_ARTIFACT_ACCESS=direct, everyone has the S3 key, and with it the "
            "artifacts of every workspace"
        )
