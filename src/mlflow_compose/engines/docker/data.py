"""Check that the servers can create their data, and read existing data: S3 formats differ."""

import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mlflow_compose.engines.container_settings import REFUSED_TEXT, impossible_user, own_hosts
from mlflow_compose.engines.data_paths import (
    NOTE,
    OTHER_FOLDER,
    check_is_folder,
    check_outside,
    data_path,
)
from mlflow_compose.engines.ownership import check_claim, claim
from mlflow_compose.errors import EngineError, SettingsError
from mlflow_compose.stack import PROVIDERS, Provider, Stack
from mlflow_compose.stack.site import THIS_MACHINE

# Entries that an empty disk may have.
EMPTY = frozenset({"lost+found", NOTE})


def check(stack: Stack, folder: Path, volumes: Collection[str]) -> None:
    """Make sure that the database can be created, and that the S3 server can read its data, if any.

    Args:
        stack: Stack to run.
        folder: Folder of its rendered files.
        volumes: Named volumes that it already has.

    Raises:
        SettingsError: A setting points a container to itself.
        EngineError: There is another server's data, which would seem lost, or PG_USER is not
            possible.
    """
    check_hosts(stack)
    check_user(stack)
    if not stack.s3_provider:
        return
    provider = PROVIDERS[stack.s3_provider]
    for name in stack.folders:
        path = data_path(folder, name)
        check_is_folder(path)
        check_outside(folder, path)
        check_claim(path, stack, OTHER_FOLDER)
        check_content(provider, name, path)
        check_owner(provider, name, path)
    if not stack.folders and provider.volume not in volumes:
        check_volumes(provider, volumes)


def check_hosts(stack: Stack) -> None:
    """Make sure that no setting points a container to itself."""
    for name, host in own_hosts(stack):
        raise SettingsError(
            f"{name} must not be {host} with Docker: that is the container itself",
            hint=f"{name}={THIS_MACHINE} is this machine; the server must not only listen on "
            "loopback",
        )


def claim_folders(stack: Stack, folder: Path) -> None:
    """Create missing data folders, and write the stack's id into them."""
    for name in stack.folders:
        path = data_path(folder, name)
        with suppress(PermissionError):
            # Otherwise the engine creates it, owned by root.
            path.mkdir(parents=True, exist_ok=True)
            claim(path, stack.identity)


def check_user(stack: Stack) -> None:
    """Make sure that PostgreSQL's image can create the database user."""
    if user := impossible_user(stack):
        raise EngineError(
            f"PG_USER must not contain any of {REFUSED_TEXT} with Docker: "
            f"PostgreSQL's image cannot create the user {user}",
            hint="set another PG_USER in .env",
        )


def check_volumes(provider: Provider, volumes: Collection[str]) -> None:
    """Make sure that no other S3 server has a volume of the stack if this one has none."""
    for other in PROVIDERS.values():
        if other.volume in volumes:
            raise EngineError(
                f"the artifacts of this stack are in the volume {other.volume}, which "
                f"S3_PROVIDER {provider.name} cannot read",
                hint=f"set S3_PROVIDER={other.name} back in .env; then "
                f"mlflow-compose migrate-store --to provider={provider.name} moves them",
            )


def check_content(provider: Provider, name: str, path: Path) -> None:
    """Make sure that a data folder is empty or holds the server's own data."""
    found: set[str] = set()
    with suppress(PermissionError, FileNotFoundError):
        found = {entry.name for entry in path.iterdir()} - EMPTY
    for other in _other_servers(provider, found):
        raise EngineError(
            f"MINIO_VOLUME_PATH ({name}) holds data of S3_PROVIDER {other}, which "
            f"{provider.name} cannot read",
            hint=f"set MINIO_VOLUME_PATH to a separate folder, or S3_PROVIDER={other}, in .env",
        )
    # A server would treat each folder as a bucket.
    if found and provider.mark and provider.mark not in found:
        raise EngineError(
            f"MINIO_VOLUME_PATH ({name}) holds files of another server than S3_PROVIDER "
            f"{provider.name}",
            hint="set MINIO_VOLUME_PATH to a separate folder in .env, or "
            "STACK_ENGINE=local if that engine wrote them",
        )


def check_owner(provider: Provider, name: str, path: Path) -> None:
    """Make sure that a server that does not run as root may write to its folder."""
    # In Docker Desktop's VM, every user appears to own shared folders.
    if not provider.owner or sys.platform != "linux":
        return
    with suppress(PermissionError, FileNotFoundError):
        if path.stat().st_uid == provider.owner:
            return
    owner = provider.owner
    raise EngineError(
        f"MINIO_VOLUME_PATH ({name}) must be owned by user {owner}, which {provider.name} runs as",
        hint=f"sudo install -d -o {owner} -g {owner} {path}",
    )


def _other_servers(provider: Provider, found: Collection[str]) -> Iterator[str]:
    for other in PROVIDERS.values():
        if other != provider and other.mark and other.mark in found:
            yield other.name
