"""Whether Docker can be used, and if not, which of the four things is missing."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.engines.docker.failures import last_line
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import MINIO_MARK, Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient

# What a disk holds that holds nothing.
EMPTY = frozenset({"lost+found"})
INSTALL = "https://docs.docker.com/get-started/get-docker/ says how to install it"


def check(client: "DockerClient") -> None:
    """Make sure that Docker and Compose v2 are here and that the engine answers.

    Raises:
        EngineError: One of them is not; the message says which.
    """
    from python_on_whales import ClientNotFoundError
    from python_on_whales.exceptions import DockerException

    try:
        client.compose.version()
    except ClientNotFoundError:
        raise _not_installed() from None
    except DockerException:
        raise EngineError(
            "Docker is here, but Docker Compose v2 is not (docker compose version failed)",
            hint="https://docs.docker.com/compose/install/ says how to add it",
        ) from None
    try:
        client.system.info()
        client.container.list()
    except DockerException as error:
        raise engine_problem(error.stderr or "") from None


def check_folders(stack: Stack, folder: Path) -> None:
    """Make sure that the S3 server's folder holds what is its own, or nothing.

    Args:
        stack: What is to run.
        folder: Of its rendered files.

    Raises:
        EngineError: There are other files; MinIO would take each folder for a bucket.
    """
    for name in stack.folders:
        # The folder that this is meant from may not be there yet.
        place = Path(os.path.normpath(folder / name))
        with suppress(PermissionError, FileNotFoundError):
            found = {path.name for path in place.iterdir()} - EMPTY
            if found and MINIO_MARK not in found:
                raise EngineError(
                    f"MINIO_VOLUME_PATH ({name}) holds files that are not MinIO's",
                    hint="set MINIO_VOLUME_PATH to a folder of its own in .env, or "
                    "STACK_ENGINE=local if that engine made them",
                )


def problem() -> EngineError | None:
    """Return why Docker cannot be used, None where it can."""
    from python_on_whales import DockerClient

    if shutil.which("docker") is None:
        return _not_installed()
    try:
        check(DockerClient())
    except EngineError as error:
        return error
    return None


def _not_installed() -> EngineError:
    return EngineError("Docker is not installed: there is no docker command", hint=INSTALL)


def engine_problem(said: str) -> EngineError:
    """Return why the engine did not answer, from what the docker command said."""
    if "permission denied" in said.lower():
        return EngineError(
            "Docker's engine refused this user: permission denied on its socket",
            hint='sudo usermod -aG docker "$USER", then log in again',
        )
    return EngineError(
        f"Docker's engine does not answer: {last_line(said)}",
        hint="start Docker Desktop, or sudo systemctl start docker",
    )
