"""Find containers that Compose would reuse although they no longer work."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mlflow_compose.engines.base import RESTARTING
from mlflow_compose.engines.docker.containers import Snapshot
from mlflow_compose.stack import Bind, Stack


def outdated(stack: Stack, secrets: Path, containers: Iterable[Snapshot]) -> list[str]:
    """Return the services whose containers must be recreated.

    A changed secret or configuration is a new file, but a container keeps the old one mounted, and
    Compose does not compare the contents of files. And Docker waits longer before each restart of a
    container that keeps failing, even after the cause is fixed.

    Args:
        stack: Stack to start.
        secrets: Folder of its secret files.
        containers: Its existing containers.
    """
    found = (
        one.status.name
        for one in containers
        if one.status.state == RESTARTING
        or _files_changed(stack, secrets, one.status.name) > one.created
    )
    return [*dict.fromkeys(found)]


def _files_changed(stack: Stack, folder: Path, service: str) -> datetime:
    # The user's own files are mounted from their location.
    files = (
        folder.parent / secret.file if secret.file else folder / secret.path
        for secret in stack.service(service).secrets
    )
    mounted = (
        folder.parent / mount.source
        for mount in stack.service(service).volumes
        if isinstance(mount, Bind) and mount.read_only
    )
    times = [file.stat().st_mtime for file in (*files, *filter(Path.is_file, mounted))]
    return datetime.fromtimestamp(max(times, default=0), UTC)
