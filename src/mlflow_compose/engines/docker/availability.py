"""Find out whether Docker can be used, and what is missing if not."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from mlflow_compose.engines.docker.client import DOCKER
from mlflow_compose.engines.docker.failures import last_line
from mlflow_compose.engines.process import end
from mlflow_compose.errors import EngineError

INSTALL = "see https://docs.docker.com/get-started/get-docker/"
T = TypeVar("T")


def check(command: Sequence[str], look: Callable[[], T]) -> T:
    """Make sure that Docker and Compose v2 are installed and that the engine answers.

    Args:
        command: The docker command.
        look: Asks the engine something.

    Returns:
        The answer to `look`.

    Raises:
        EngineError: Something is missing; the message names it.
    """
    if shutil.which(DOCKER) is None:
        raise _not_installed()
    with _compose_version(command) as process:
        # It takes about 0.1 s, as long as importing python-on-whales, and longer than `look`.
        from python_on_whales.exceptions import DockerException

        try:
            found = look()
        except DockerException as error:
            # Without Compose, that takes precedence: nothing else can be done either.
            raise _compose_problem(process) or engine_problem(error.stderr or "") from None
        # Not after Ctrl-C, which ends this process as well.
        if missing := _compose_problem(process):
            raise missing
        return found


def _compose_problem(process: "subprocess.Popen[bytes]") -> EngineError | None:
    """Wait for `docker compose version`; return why Compose cannot be used, None if it can."""
    if not process.wait():
        return None
    return EngineError(
        "Docker Compose v2 is not installed (docker compose version failed)",
        hint="see https://docs.docker.com/compose/install/",
    )


@contextmanager
def _compose_version(command: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `docker compose version` beside the block; it has ended when the block is left."""
    with subprocess.Popen(  # noqa: S603 - a list from this package
        [*command, "compose", "version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
            process.wait()
        except BaseException:
            end(process)
            raise


def problem() -> EngineError | None:
    """Return why Docker cannot be used, None if it can."""

    def look() -> None:
        from python_on_whales import DockerClient

        DockerClient().container.list()

    try:
        check([DOCKER], look)
    except EngineError as error:
        return error
    return None


def _not_installed() -> EngineError:
    return EngineError("Docker is not installed: docker is not in PATH", hint=INSTALL)


def engine_problem(stderr: str) -> EngineError:
    """Return why the engine did not answer, from the errors of the docker command."""
    if "permission denied" in stderr.lower():
        return EngineError(
            "this user may not use Docker: permission denied on its socket",
            hint='sudo usermod -aG docker "$USER", then log in again',
        )
    return EngineError(
        f"Docker's engine does not answer: {last_line(stderr)}",
        hint="start Docker Desktop, or run sudo systemctl start docker",
    )
