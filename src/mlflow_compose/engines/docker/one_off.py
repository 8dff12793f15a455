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


def run_once(  # noqa: PLR0913 - as many facts go into it
    client: "DockerClient",
    service: str,
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    folder: SharedFolder | None = None,
    on_output: Output | None = None,
) -> Outcome:
    """Run a command to its end; the image's entry point is left out.

    Not by python-on-whales' own `run`: that reads ahead without limit, and a dump of a database
    does not fit into memory.

    Raises:
        EngineError: The folder cannot be mounted.
    """
    from python_on_whales.exceptions import DockerException

    program, *arguments = command
    name = f"{client.client_config.compose_project_name}-{service}-run-{secrets.token_hex(6)}"
    options = ["--rm", "--no-deps", "--no-TTY", "--name", name, "--entrypoint", program]
    run = [*map(str, client.client_config.docker_compose_cmd), "run", *options, *_mount(folder)]

    def remove() -> None:
        # Its first process ignores signals.
        with suppress(DockerException):
            client.container.remove(name, force=True)

    try:
        return run_process(
            [*run, service, *arguments], stdin=stdin, on_output=on_output, before_kill=remove
        )
    except BaseException:
        # Once more: it may have just been made.
        remove()
        raise


def _mount(folder: SharedFolder | None) -> Sequence[str]:
    if folder is None:
        return ()
    if ":" in str(folder.path)[2:]:
        # `docker compose run` takes SOURCE:TARGET only; the first may be that of a drive.
        raise EngineError(
            f"Docker cannot mount {folder.path}: there is a colon in its path",
            hint="move the stack's folder to a path without colons",
        )
    mode = "rw" if folder.writable else "ro"
    volume = f"{folder.path}:{MOUNT_POINT}:{mode}"
    return ("--volume", volume, "--env", f"{FOLDER_VARIABLE}={MOUNT_POINT}")
