"""Take images to another machine: `docker save` here, `docker load` there.

In a file, an image has a name that no other one has: loading it replaces no image of that machine,
and works between the two ways in which Docker stores images, which give it different ids.
"""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from mlflow_compose.engines.docker.client import DOCKER
from mlflow_compose.engines.docker.failures import last_line
from mlflow_compose.engines.process import end
from mlflow_compose.errors import EngineError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

HINT = "docker system df shows what images use; docker info shows whether Docker runs"
REPOSITORY = "mlflow-compose-bundle"
# Docker's names of processors, where they differ from those of its platforms.
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}


def containers_platform() -> str:
    """Return the platform of this machine's containers, such as linux/amd64.

    Raises:
        EngineError: Docker does not answer.
    """
    with _errors("docker info"):
        info = _client().system.info()
    processor = info.architecture or ""
    return f"{info.os_type}/{PROCESSORS.get(processor, processor)}"


def transport_name(image: str) -> str:
    """Return the name that an image has in a file; pull it first if it is missing.

    Raises:
        EngineError: There is no such image.
    """
    client = _client()
    with _errors(f"docker pull {image}"):
        if not client.image.exists(image):
            client.image.pull(image, quiet=True)
        found = client.image.inspect(image)
    return f"{REPOSITORY}:{found.id.removeprefix('sha256:')[:16]}"


def save_image(image: str, name: str, path: Path) -> None:
    """Write an image into a file, under another name.

    Raises:
        EngineError: Docker cannot write it.
    """
    client, partial = _client(), path.with_suffix(".partial")
    with _errors(f"docker save {image}"):
        client.image.tag(image, name)
        try:
            client.image.save(name, output=partial)
        finally:
            client.image.remove(name)
    partial.replace(path)


def load_image(
    chunks: Callable[[], Iterable[bytes]], name: str, names: Sequence[str]
) -> tuple[str, ...]:
    """Load an image, unless this machine has one of each name; return the names that it got.

    Args:
        chunks: Returns the content of the file.
        name: Its name in the file.
        names: Names that it gets; those that other images have are left alone.

    Raises:
        EngineError: Docker cannot load it.
    """
    client = _client()
    with _errors("docker load"):
        missing = tuple(each for each in names if not client.image.exists(each))
        if missing:
            _load(chunks())
            for each in missing:
                client.image.tag(name, each)
        # Also one that a killed command left behind.
        if client.image.exists(name):
            client.image.remove(name)
    return missing


def _load(chunks: Iterable[bytes]) -> None:
    """Pass a file to `docker load` while it is read."""
    with subprocess.Popen(  # noqa: S603 - a list from this package
        [DOCKER, "image", "load", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            # It may end before it has read everything, and says why.
            with suppress(BrokenPipeError):
                for chunk in chunks:
                    cast("IO[bytes]", process.stdin).write(chunk)
            _, stderr = process.communicate()
        except BaseException:
            end(process)
            raise
    if process.returncode:
        reason = last_line(stderr.decode(errors="replace")) or f"exit code {process.returncode}"
        raise EngineError(f"docker load failed: {reason}", hint=HINT)


def _client() -> "DockerClient":
    from python_on_whales import DockerClient

    return DockerClient()


@contextmanager
def _errors(command: str) -> Iterator[None]:
    from python_on_whales.exceptions import DockerException

    try:
        yield
    except DockerException as error:
        reason = last_line(error.stderr or error.stdout or "")
        raise EngineError(
            f"{command} failed: {reason or f'exit code {error.return_code}'}",
            hint=HINT,
        ) from None
