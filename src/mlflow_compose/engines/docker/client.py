"""The docker command, protected from environment variables that redirect Compose."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow_compose.paths import StackPaths
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient

DOCKER = "docker"
# Variables that point Compose to other files, or let it remove containers that are not the stack's.
# COMPOSE_PROFILES stays: it selects services that an override file adds.
REDIRECTING = (
    "COMPOSE_DISABLE_ENV_FILE",
    "COMPOSE_ENV_FILES",
    "COMPOSE_FILE",
    "COMPOSE_IGNORE_ORPHANS",
    "COMPOSE_REMOVE_ORPHANS",
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

    Environment variables take precedence over `compose/.env`, and python-on-whales passes its own
    environment to every command.
    """
    # Without docker, the client must report docker as missing, not env; Windows has no env.
    if not shutil.which(DOCKER) or not (env := shutil.which("env")):
        return (DOCKER,)
    removed = (word for name in REDIRECTING for word in ("-u", name))
    return (env, *removed, f"STACK_IDENTITY={identity}", DOCKER)
