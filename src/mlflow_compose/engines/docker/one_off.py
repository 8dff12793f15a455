"""Run a command once, in a separate container with a service's configuration."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from mlflow_compose.engines.base import FOLDER_VARIABLE, Outcome, Output, SharedFolder
from mlflow_compose.engines.process import run_process
from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

# Path of the shared folder in a container.
MOUNT_POINT = "/mnt/shared"


def run_once(  # noqa: PLR0913 - independent options
    client: "DockerClient",
    service: str,
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    folder: SharedFolder | None = None,
    on_output: Output | None = None,
) -> Outcome:
    """Run a command to its end, without the image's entry point.

    Not with `run` of python-on-whales: that buffers output without limit, and a database dump does
    not fit into memory.

    Raises:
        EngineError: The folder cannot be mounted.
    """
    from python_on_whales.exceptions import DockerException

    program, *arguments = command
    name = f"{client.client_config.compose_project_name}-{service}-run-{secrets.token_hex(6)}"
    options = ["--rm", "--no-deps", "--no-TTY", "--name", name, "--entrypoint", program]
    run = [*map(str, client.client_config.docker_compose_cmd), "run", *options, *_mount(folder)]

    def remove() -> None:
        # PID 1 in the container ignores signals.
        with suppress(DockerException):
            client.container.remove(name, force=True)

    try:
        return run_process(
            [*run, service, *arguments], stdin=stdin, on_output=on_output, before_kill=remove
        )
    except BaseException:
        # Again: it may only have been created meanwhile.
        remove()
        raise


def _mount(folder: SharedFolder | None) -> Sequence[str]:
    if folder is None:
        return ()
    if ":" in str(folder.path)[2:]:
        # `docker compose run` only accepts SOURCE:TARGET; a drive letter has a colon as well.
        raise EngineError(
            f"Docker cannot mount {folder.path}: there is a colon in its path",
            hint="move the stack's folder to a path without colons",
        )
    mode = "rw" if folder.writable else "ro"
    volume = f"{folder.path}:{MOUNT_POINT}:{mode}"
    return ("--volume", volume, "--env", f"{FOLDER_VARIABLE}={MOUNT_POINT}")
