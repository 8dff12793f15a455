"""Run a command once, in a container of its own that is like a service's."""

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_compose.engines.base import FOLDER_VARIABLE, Outcome
from mlflow_compose.engines.docker.starting import children, end
from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

# Where a container finds the folder that it was given.
MOUNTED = "/mnt/given"


def run_once(
    client: "DockerClient",
    service: str,
    command: Sequence[str],
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Outcome:
    """Run a command to its end.

    Args:
        client: Of the stack's project.
        service: Whose image, network and secrets it gets.
        command: That is run.
        folder: Of this machine, which it may read.
        on_line: Is called with each line of standard output; then only the last one is kept.

    Raises:
        EngineError: The folder cannot be mounted.
    """
    from python_on_whales.exceptions import DockerException

    lines, errors = deque[str](maxlen=1 if on_line else None), list[str]()
    try:
        with _container(client, service) as name:
            # With `stream`, pairs of a stream's name and a line; the type is that of all variants.
            output: Any = client.compose.run(
                service,
                list(command),
                name=name,
                remove=True,
                tty=False,
                dependencies=False,
                stream=True,
                volumes=_mounts(folder),
                envs={FOLDER_VARIABLE: MOUNTED} if folder else {},
            )
            for stream, content in output:
                line = content.decode(errors="replace").rstrip("\n")
                (lines if stream == "stdout" else errors).append(line)
                if on_line and stream == "stdout":
                    on_line(line)
    except DockerException as error:
        return Outcome(error.return_code, "\n".join(lines), "\n".join(errors))
    return Outcome(0, "\n".join(lines), "\n".join(errors))


@contextmanager
def _container(client: "DockerClient", service: str) -> Iterator[str]:
    """Give a name for a container, and remove that if nobody listens to it any more.

    Its first process ignores signals.
    """
    from python_on_whales.exceptions import DockerException

    name = f"{client.client_config.compose_project_name}-{service}-run-{secrets.token_hex(6)}"
    others = children()
    try:
        yield name
    except DockerException:
        raise
    except BaseException:
        # The container first, which its client waits for; again if it was just being made.
        for _ in range(2):
            with suppress(DockerException):
                client.container.remove(name, force=True)
            end(children() - others)
        raise


def _mounts(folder: Path | None) -> list[tuple[Path, str, str]]:
    if folder is None:
        return []
    if ":" in str(folder)[2:]:
        # `docker compose run` takes SOURCE:TARGET only; the first may be that of a drive.
        raise EngineError(
            f"Docker cannot mount {folder}: there is a colon in its path",
            hint="move the stack's folder to a path without colons",
        )
    return [(folder, MOUNTED, "ro")]
