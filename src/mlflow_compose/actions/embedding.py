"""Put the user's files into the secrets of targets that cannot mount them."""

import os
from dataclasses import replace
from pathlib import Path

from mlflow_compose.errors import FilesError
from mlflow_compose.stack import SecretFile, Service, Stack


def with_files(stack: Stack, folder: Path) -> Stack:
    """Return a stack whose secrets contain the files that they name.

    Args:
        stack: The stack.
        folder: Folder of its rendered files, which the paths are relative to.

    Raises:
        FilesError: A file cannot be read.
    """

    def embedded(service: Service) -> Service:
        secrets = tuple(_embedded(secret, folder) for secret in service.secrets)
        return replace(service, secrets=secrets)

    return replace(
        stack,
        services=tuple(map(embedded, stack.services)),
        tools=tuple(map(embedded, stack.tools)),
    )


def _embedded(secret: SecretFile, folder: Path) -> SecretFile:
    if not secret.file:
        return secret
    # Not resolved by the system: the folder may not exist yet.
    path = Path(os.path.normpath(folder / secret.file))
    try:
        return replace(secret, text=path.read_text(encoding="utf-8"), file=None)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise FilesError(f"{path} cannot be read: {reason}") from None
