"""Find out whether Docker can be used, and what is missing if not."""

import shutil
from typing import TYPE_CHECKING

from mlflow_compose.engines.docker.failures import last_line
from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

INSTALL = "see https://docs.docker.com/get-started/get-docker/"


def check(client: "DockerClient") -> None:
    """Make sure that Docker and Compose v2 are installed and that the engine answers.

    Raises:
        EngineError: Something is missing; the message names it.
    """
    from python_on_whales import ClientNotFoundError
    from python_on_whales.exceptions import DockerException

    try:
        client.compose.version()
    except ClientNotFoundError:
        raise _not_installed() from None
    except DockerException:
        raise EngineError(
            "Docker Compose v2 is not installed (docker compose version failed)",
            hint="see https://docs.docker.com/compose/install/",
        ) from None
    try:
        client.container.list()
    except DockerException as error:
        raise engine_problem(error.stderr or "") from None


def problem() -> EngineError | None:
    """Return why Docker cannot be used, None if it can."""
    from python_on_whales import DockerClient

    if shutil.which("docker") is None:
        return _not_installed()
    try:
        check(DockerClient())
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
