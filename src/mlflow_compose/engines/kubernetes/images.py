"""Bring the image that is built here into the cluster: by a registry, or into its machines."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mlflow_compose.engines.docker.availability import problem
from mlflow_compose.engines.docker.client import DOCKER, open_client
from mlflow_compose.engines.docker.failures import docker_errors
from mlflow_compose.engines.docker.images import build
from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.loaders import Loader, Node, loader_of, this_identity
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import end, run_process
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import StackPaths
from mlflow_compose.result import Progress
from mlflow_compose.stack import Service

# Clusters that run in the Docker engine itself, and have its images.
SHARED = frozenset({"docker-desktop", "rancher-desktop", "orbstack"})
# In the names of images: what follows it does not name a registry.
REGISTRY_MARK = "/"


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
            _bring(cluster, service.image, way, progress)


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


def _way(cluster: Cluster, nodes: Sequence[Node], image: str) -> Loader | None:
    """Return how an image gets into the cluster, None if it shares Docker's."""
    context = cluster.place.context
    if REGISTRY_MARK in image:
        return Loader((DOCKER, "push"))
    if context in SHARED:
        return None
    if loader := loader_of(context, nodes, this_identity()):
        return loader
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


def _bring(cluster: Cluster, image: str, loader: Loader, progress: Progress) -> None:
    """Copy an image from Docker into the cluster, or into the registry that it pulls from.

    Raises:
        EngineError: A program is missing, or failed.
    """
    environ = cluster.environment
    program = loader.command[0]
    if shutil.which(program, path=environ.get("PATH")) is None:
        raise EngineError(
            f"{program} is not in PATH, and only it copies images into this cluster",
            hint="install it, or set STACK_REGISTRY or MLFLOW_IMAGE in .env",
        )
    commands = loader.commands(image)
    for command in commands:
        progress.command(command)
    with progress.step(f"Copying {image} into the cluster"):
        outcome = _piped(commands, environ)
    if outcome.exit_code:
        # Its user may need other rights than that of kubectl.
        typed = " | ".join(map(shlex.join, commands))
        raise EngineError(
            cluster.failed(commands[-1], outcome).message,
            hint=f"mend that, or let another user run {typed}; then run the same command again",
        )


def _piped(commands: Sequence[Sequence[str]], environ: Mapping[str, str]) -> Outcome:
    """Run one command, or two of which the second reads what the first prints."""
    *first, last = commands
    if not first:
        return run_process(last, environ=environ)
    with subprocess.Popen(first[0], env=environ, stdout=subprocess.PIPE) as source:  # noqa: S603 - a list
        try:
            return run_process(last, environ=environ, stdin=source.stdout)
        finally:
            end(source)
