"""Check that the servers can create their data and read existing data, whose format differs."""

import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mlflow_compose.engines.ownership import check_claim, claim
from mlflow_compose.engines.places import NOTE, OTHER_FOLDER, check_place, check_there, place_of
from mlflow_compose.errors import EngineError, SettingsError
from mlflow_compose.stack import PROVIDERS, Provider, Stack
from mlflow_compose.stack.components.postgres import NAME as POSTGRES
from mlflow_compose.stack.site import THIS_MACHINE

# What a disk holds that holds nothing.
EMPTY = frozenset({"lost+found", NOTE})
# initdb, by which the image makes its first user, refuses them (and prints the password with `"`).
REFUSED = frozenset("\"$'\\")


def check(stack: Stack, folder: Path, volumes: Collection[str]) -> None:
    """Make sure that the database can be created, and that the S3 server can read its data, if any.

    Args:
        stack: Stack to run.
        folder: Folder of its rendered files.
        volumes: The named volumes that it has already.

    Raises:
        SettingsError: A server is looked for in the container itself.
        EngineError: There is another server's data, which would seem lost, or PG_USER is refused.
    """
    check_hosts(stack)
    check_user(stack)
    if not stack.s3_provider:
        return
    provider = PROVIDERS[stack.s3_provider]
    for name in stack.folders:
        place = place_of(folder, name)
        check_there(place)
        check_place(folder, place)
        check_claim(place, stack, OTHER_FOLDER)
        check_content(provider, name, place)
        check_owner(provider, name, place)
    if not stack.folders and provider.volume not in volumes:
        check_volumes(provider, volumes)


def check_hosts(stack: Stack) -> None:
    """Make sure that no setting sends a container to itself."""
    for name, host in stack.site.servers.items():
        if host in {"localhost", "::1"} or host.startswith("127."):
            raise SettingsError(
                f"{name} must not be {host} with Docker: there it is the container itself",
                hint=f"{name}={THIS_MACHINE} is this machine; the server must not only listen on "
                "loopback",
            )


def claim_folders(stack: Stack, folder: Path) -> None:
    """Create missing folders of this machine, and note the stack's id in them."""
    for name in stack.folders:
        place = place_of(folder, name)
        with suppress(PermissionError):
            # Otherwise the engine creates it, owned by root.
            place.mkdir(parents=True, exist_ok=True)
            claim(place, stack.identity)


def check_user(stack: Stack) -> None:
    """Make sure that PostgreSQL's image can create the database user."""
    user = stack.service(POSTGRES).environment["POSTGRES_USER"] if stack.has(POSTGRES) else ""
    if REFUSED.intersection(user):
        raise EngineError(
            f"PG_USER must not contain any of {' '.join(sorted(REFUSED))} with Docker: "
            f"PostgreSQL's image cannot create the user {user}",
            hint="set another PG_USER in .env",
        )


def check_volumes(provider: Provider, volumes: Collection[str]) -> None:
    """Make sure that no other server has data if this one has none."""
    for other in PROVIDERS.values():
        if other.volume in volumes:
            raise EngineError(
                f"the artifacts of this stack are in the volume {other.volume}, which "
                f"S3_PROVIDER {provider.name} cannot read",
                hint=f"set S3_PROVIDER={other.name} back in .env; then "
                f"mlflow-compose migrate-store --to provider={provider.name} moves them",
            )


def check_content(provider: Provider, name: str, place: Path) -> None:
    """Make sure that a folder of this machine holds the server's own data, or nothing."""
    found: set[str] = set()
    with suppress(PermissionError, FileNotFoundError):
        found = {path.name for path in place.iterdir()} - EMPTY
    for other in _others(provider, found):
        raise EngineError(
            f"MINIO_VOLUME_PATH ({name}) holds data of S3_PROVIDER {other}, which "
            f"{provider.name} cannot read",
            hint=f"set MINIO_VOLUME_PATH to a separate folder, or S3_PROVIDER={other}, in .env",
        )
    # A server would take each folder for a bucket.
    if found and provider.mark and provider.mark not in found:
        raise EngineError(
            f"MINIO_VOLUME_PATH ({name}) holds files of another server than S3_PROVIDER "
            f"{provider.name}",
            hint="set MINIO_VOLUME_PATH to a separate folder in .env, or "
            "STACK_ENGINE=local if that engine wrote them",
        )


def check_owner(provider: Provider, name: str, place: Path) -> None:
    """Make sure that a server that does not run as root may write to its folder."""
    # In Docker's virtual machines, folders seem to belong to any user that asks.
    if not provider.owner or sys.platform != "linux":
        return
    with suppress(PermissionError, FileNotFoundError):
        if place.stat().st_uid == provider.owner:
            return
    owner = provider.owner
    raise EngineError(
        f"MINIO_VOLUME_PATH ({name}) must be owned by user {owner}, which {provider.name} runs as",
        hint=f"sudo install -d -o {owner} -g {owner} {place}",
    )


def _others(provider: Provider, found: Collection[str]) -> Iterator[str]:
    for other in PROVIDERS.values():
        if other != provider and other.mark and other.mark in found:
            yield other.name
