"""Make sure that containers and volumes with a stack's name belong to this stack."""

from collections.abc import Collection, Mapping
from pathlib import Path

from mlflow_compose.engines.docker.containers import STACK_LABEL, Origin, docker_name
from mlflow_compose.engines.ownership import TAKE_OVER
from mlflow_compose.errors import EngineError, FilesError
from mlflow_compose.identity import read_id
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.stack import Stack

OTHER_NAME = "set COMPOSE_PROJECT_NAME in .env to another name"


def check_containers(stack: Stack, folder: Path, origins: Collection[Origin]) -> None:
    """Make sure that every container of that name belongs to this stack.

    Args:
        stack: Stack to run.
        folder: Folder of its rendered files.
        origins: Origins of the containers of its project.

    Raises:
        EngineError: One of them is another stack's; Compose would replace it.
    """
    # Containers of an override file carry no id, and after a move they name the old folder.
    own = {origin.folder for origin in origins if origin.identity == stack.identity} | {folder}
    for origin in origins:
        if origin.identity == stack.identity and _is_of_another(origin, folder):
            raise EngineError(
                f"{origin.folder.parent} has the same id ({stack.identity}), and its container "
                f"{origin.container} is running: one of the two folders is a copy of the other",
                hint=f"remove {STATE_DIR} in the copy; the volumes stay with the original",
            )
        if origin.identity == stack.identity or (not origin.identity and origin.folder in own):
            continue
        raise EngineError(
            f"another stack is already named {stack.name}, in {origin.folder.parent} "
            f"(container {origin.container})",
            hint=OTHER_NAME,
        )


def _is_of_another(origin: Origin, folder: Path) -> bool:
    """Tell whether a container with this stack's id comes from another folder with the same id."""
    if origin.folder == folder:
        return False
    try:
        same = origin.folder.samefile(folder)
        return not same and read_id(origin.folder.parent) == origin.identity
    except FileNotFoundError:
        # The stack was moved.
        return False
    except (OSError, FilesError):
        # Not readable: another user's.
        return True


def check_volumes(stack: Stack, volumes: Mapping[str, str]) -> None:
    """Make sure that every volume that the stack would use belongs to it.

    Args:
        stack: Stack to run.
        volumes: Stack ids by volume name, without the project prefix.

    Raises:
        EngineError: One of them is another stack's, or carries no id.
    """
    for volume, identity in sorted(volumes.items()):
        if identity == stack.identity:
            continue
        name = docker_name(stack.name, volume)
        if not identity:
            raise EngineError(
                f"the volume {name} already exists and does not belong to this stack: it has no "
                f"label {STACK_LABEL}",
                hint=OTHER_NAME,
            )
        raise EngineError(
            f"the volume {name} holds the data of another stack named {stack.name} (id {identity})",
            hint=f"{TAKE_OVER}; otherwise {OTHER_NAME}",
        )


def check_unused(volume: str, users: Collection[str]) -> None:
    """Make sure that no container uses a volume that is to be deleted.

    Args:
        volume: Docker's name of the volume.
        users: Names of the containers that use it.

    Raises:
        EngineError: A container uses it.
    """
    for container in sorted(users):
        raise EngineError(
            f"the container {container} uses the volume {volume}, so nothing was deleted",
            hint=f"docker rm --force {container} removes it",
        )
