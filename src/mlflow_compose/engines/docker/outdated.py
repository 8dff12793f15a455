"""Find containers that Compose would keep although they no longer work."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mlflow_compose.engines.base import RESTARTING
from mlflow_compose.engines.docker.containers import Seen
from mlflow_compose.stack import Stack


def outdated(stack: Stack, secrets: Path, seen: Iterable[Seen]) -> list[str]:
    """Return the services whose containers must be recreated.

    A changed secret is a new file, a container keeps the old one mounted, and Compose does not look
    at what is in secret files. And Docker waits longer before each restart of a container that
    keeps failing, even after the cause is gone.

    Args:
        stack: The stack as it is to be started.
        secrets: Folder of its secret files.
        seen: Its containers as they are.
    """
    return [
        one.status.name
        for one in seen
        if one.status.state == RESTARTING
        or _secrets_changed(stack, secrets, one.status.name) > one.created
    ]


def _secrets_changed(stack: Stack, folder: Path, service: str) -> datetime:
    # Files of the user's own are mounted from where they are.
    files = (
        folder.parent / secret.file if secret.file else folder / secret.name
        for secret in stack.service(service).secrets
    )
    times = [file.stat().st_mtime for file in files]
    return datetime.fromtimestamp(max(times, default=0), UTC)
