"""The docker command, in an environment that cannot change which files and id Compose reads."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow_compose.paths import StackPaths
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient

DOCKER = "docker"
# What Compose reads instead of the stack's files; the last one refuses what `up` does. Profiles
# stay: they are for what an override file adds.
REDIRECTING = (
    "COMPOSE_DISABLE_ENV_FILE",
    "COMPOSE_ENV_FILES",
    "COMPOSE_FILE",
    "COMPOSE_IGNORE_ORPHANS",
)


def open_client(stack: Stack, paths: StackPaths) -> "DockerClient":
    """Return a client for the project of a stack."""
    from python_on_whales import DockerClient

    return DockerClient(
        compose_files=list(paths.compose_files),
        compose_project_name=stack.name,
        client_call=list(call(stack.identity)),
    )


def call(identity: str) -> Sequence[str]:
    """Return the docker command for a stack, with its id whatever the environment contains.

    The environment wins over `compose/.env`, and python-on-whales hands its own to every command.
    """
    # Without docker, the client must be what is missing; Windows has no env.
    if not shutil.which(DOCKER) or not (env := shutil.which("env")):
        return (DOCKER,)
    removed = (word for name in REDIRECTING for word in ("-u", name))
    return (env, *removed, f"STACK_IDENTITY={identity}", DOCKER)
