"""Bring the image that is built here into the cluster: by a registry, or into its machines."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlflow_compose.engines.docker.availability import problem
from mlflow_compose.engines.docker.client import DOCKER, open_client
from mlflow_compose.engines.docker.failures import docker_errors
from mlflow_compose.engines.docker.images import build
from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.engines.process import run_process
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import StackPaths
from mlflow_compose.result import Progress
from mlflow_compose.stack import Service

# What the tools for clusters on this machine call their contexts.
KIND, K3D, MINIKUBE = "kind-", "k3d-", "minikube"
# Clusters that run in the Docker engine itself, and have its images.
SHARED = frozenset({"docker-desktop", "rancher-desktop", "orbstack"})
MINIKUBE_LABEL = "minikube.k8s.io/name"
# In the names of images: what follows it does not name a registry.
REGISTRY_MARK = "/"
Node = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Loader:
    """A command that copies an image from Docker into a cluster.

    Attributes:
        command: The command, without the image.
        options: Its options after the image.
    """

    command: Sequence[str]
    options: Sequence[str] = ()


def loader_of(context: str, nodes: Sequence[Mapping[str, object]]) -> Loader | None:
    """Return how an image gets into a cluster on this machine, None for another cluster.

    Args:
        context: Its context.
        nodes: Labels of its machines.
    """
    if context.startswith(KIND):
        name = context.removeprefix(KIND)
        return Loader(("kind", "load", "docker-image"), ("--name", name))
    if context.startswith(K3D):
        name = context.removeprefix(K3D)
        return Loader(("k3d", "image", "import"), ("--cluster", name))
    profiles = [str(labels[MINIKUBE_LABEL]) for labels in nodes if MINIKUBE_LABEL in labels]
    if profiles or context == MINIKUBE:
        name = [*profiles, MINIKUBE][0]
        return Loader(("minikube", "image", "load"), ("--profile", name))
    return None


def prepare(cluster: Cluster, paths: StackPaths, progress: Progress) -> None:
    """Build the image of MLflow if it is built here, and bring it into the cluster.

    Raises:
        EngineError: It cannot be built here, or the cluster cannot get it.
    """
    for service in cluster.stack.built:
        nodes = _nodes(cluster)
        if is_on(nodes, service.image):
            continue
        way = _way(cluster, nodes, service.image)
        _build(cluster, paths, service, progress)
        if way:
            progress.command(way)
            with progress.step(f"Copying {service.image} into the cluster"):
                _run(cluster, way)


def is_on(nodes: Sequence[Node], image: str) -> bool:
    """Tell whether all machines of a cluster have an image, whose name contains a digest."""
    # As containerd names images without a registry.
    known = {image, f"docker.io/library/{image}"}
    return bool(nodes) and all(known & {*_images(node)} for node in nodes)


def _images(node: Node) -> Iterator[str]:
    for each in node["status"].get("images", ()):
        yield from each.get("names") or ()


def _nodes(cluster: Cluster) -> Sequence[Node]:
    """Return the machines of the cluster, none if its user may not see them."""
    outcome = cluster.call(cluster.kubectl("get", "nodes", "--output=json", TIMEOUT))
    found: Sequence[Node] = [] if outcome.exit_code else json.loads(outcome.stdout)["items"]
    return found


def _way(cluster: Cluster, nodes: Sequence[Node], image: str) -> Sequence[str]:
    """Return the command that brings an image into the cluster, empty if it shares Docker's."""
    context = cluster.place.context
    if REGISTRY_MARK in image:
        return (DOCKER, "push", image)
    if context in SHARED:
        return ()
    labels = [node["metadata"].get("labels", {}) for node in nodes]
    if loader := loader_of(context, labels):
        return (*loader.command, image, *loader.options)
    raise EngineError(
        f"the image {image} is built on this machine, and the cluster of the context {context} "
        "cannot get it from here",
        hint="set STACK_REGISTRY in .env to a registry that the cluster pulls from, or "
        "MLFLOW_IMAGE to an image that the cluster can pull",
    )


def _build(cluster: Cluster, paths: StackPaths, service: Service, progress: Progress) -> None:
    """Build an image with Docker, from the files that a stack on Docker is built from."""
    if why_not := problem():
        raise EngineError(
            f"the image {service.image} is built with Docker: {why_not.message}",
            hint=f"{why_not.hint}; or set MLFLOW_IMAGE in .env to an image that the cluster can "
            "pull",
        )
    stack, local = cluster.stack, service.image.rpartition(REGISTRY_MARK)[2]
    client = open_client(stack, paths)
    if not client.image.exists(local):
        progress.command((DOCKER, "compose", "build", service.name))
        build(client, stack, replace(service, image=local), progress)
    if local != service.image:
        with docker_errors(stack, "docker tag"):
            client.image.tag(local, service.image)


def _run(cluster: Cluster, command: Sequence[str]) -> None:
    program, environ = command[0], cluster.environment
    if shutil.which(program, path=environ.get("PATH")) is None:
        raise EngineError(
            f"{program} is not in PATH, and only it copies images into this cluster",
            hint="install it, or set STACK_REGISTRY or MLFLOW_IMAGE in .env",
        )
    outcome = run_process(command, environ=environ)
    if outcome.exit_code:
        raise cluster.failed(command, outcome)
