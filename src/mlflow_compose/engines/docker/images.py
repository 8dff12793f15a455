"""Pull and build the images of services.

`docker compose up` would do both, but prints too much, and not why it failed.
"""

from typing import TYPE_CHECKING

from mlflow_compose.engines.docker.failures import build_failed, pull_failed
from mlflow_compose.engines.docker.inspect import has_images
from mlflow_compose.result import Progress
from mlflow_compose.stack import Service, Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient


def complete(client: "DockerClient", stack: Stack) -> bool:
    """Tell whether all images of a stack exist."""
    return has_images(client, sorted({service.image for service in stack.services}))


def missing(client: "DockerClient", stack: Stack) -> dict[str, str]:
    """Return the missing images to pull, by service."""
    return {
        service.name: service.image
        for service in stack.services
        if service.pull_policy is None and not client.image.exists(service.image)
    }


def pull(client: "DockerClient", stack: Stack, images: dict[str, str], progress: Progress) -> None:
    """Pull the images of some services."""
    from python_on_whales.exceptions import DockerException

    names = sorted(set(images.values()))
    with progress.step(f"Pulling {', '.join(names)}"):
        try:
            for _, line in client.compose.pull(list(images), stream_logs=True) or ():
                progress.detail(line.decode(errors="replace").strip())
        except DockerException as error:
            raise pull_failed(stack, names, error.stderr or "") from None


def build(client: "DockerClient", stack: Stack, service: Service, progress: Progress) -> None:
    """Build the image of a service."""
    from python_on_whales.exceptions import DockerException

    output: list[str] = []
    with progress.step(f"Building {service.image}"):
        try:
            for _, line in client.compose.build([service.name], stream_logs=True) or ():
                output.append(line.decode(errors="replace").rstrip())
                progress.detail(stack.mask(output[-1]))
        except DockerException:
            raise build_failed(stack, service.image, output) from None
