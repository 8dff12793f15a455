"""Run a command once, in a separate container with a service's configuration."""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from mlflow_compose.engines.base import FOLDER_VARIABLE, Output, SharedFolder, Start
from mlflow_compose.engines.outcome import SIGNALED, Outcome
from mlflow_compose.engines.process import attach, run_process
from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

# Path of the shared folder in a container.
MOUNT_POINT = "/mnt/shared"
# Seconds that the engine may take to create a requested container, and between checks.
CREATED_WITHIN, POLL_EVERY = 1, 0.1


def run_once(  # noqa: PLR0913 - independent options
    client: "DockerClient",
    service: str,
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    folder: SharedFolder | None = None,
    on_output: Output | None = None,
    on_start: Start | None = None,
) -> Outcome:
    """Run a command to its end, without the image's entry point.

    Not with `run` of python-on-whales: that buffers output without limit, and a database dump does
    not fit into memory.

    Raises:
        EngineError: The folder cannot be mounted.
    """
    run = partial(run_process, stdin=stdin, on_output=on_output, on_start=on_start)
    return _in_container(client, service, command, ("--no-TTY", *_mount(folder)), run)


def attach_once(
    client: "DockerClient", service: str, command: Sequence[str], *, terminal: bool
) -> Outcome:
    """Run a command, connected to the standard streams of this process."""
    # Compose would allocate a terminal without looking for one.
    options = () if terminal else ("--no-TTY",)
    return _in_container(client, service, command, options, attach)


def _in_container(
    client: "DockerClient",
    service: str,
    command: Sequence[str],
    options: Sequence[str],
    run: Callable[[Sequence[str]], Outcome],
) -> Outcome:
    """Run a command in a new container, which is removed however the command ends."""
    program, *arguments = command
    name = f"{client.client_config.compose_project_name}-{service}-run-{secrets.token_hex(6)}"
    compose = map(str, client.client_config.docker_compose_cmd)
    common = ("--rm", "--no-deps", "--name", name, "--entrypoint", program)
    try:
        outcome = run([*compose, "run", *common, *options, service, *arguments])
    except BaseException:
        # Only now that Compose has ended: it would create the container after its removal.
        _remove(client, name)
        raise
    if outcome.exit_code > SIGNALED:
        # If it was Compose that was ended, the container is still there.
        _remove(client, name)
    return outcome


def _remove(client: "DockerClient", name: str) -> None:
    """Remove a container, which the engine may be about to create."""
    from python_on_whales.exceptions import DockerException

    deadline = time.monotonic() + CREATED_WITHIN
    with suppress(DockerException):
        while not (found := client.container.exists(name)) and time.monotonic() < deadline:
            time.sleep(POLL_EVERY)
        if found:
            # PID 1 in the container may ignore signals.
            client.container.remove(name, force=True)


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
