"""How an image gets from Docker into a cluster on this machine, by kind of cluster."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_compose.engines.docker.client import DOCKER

# What the tools for clusters on this machine call their contexts.
KIND, K3D, MINIKUBE = "kind-", "k3d-", "minikube"
MINIKUBE_LABEL, MICROK8S_LABEL = "minikube.k8s.io/name", "microk8s.io/cluster"
CONTAINERD = "containerd://"
# Distributions add their name to the version of kubelet, such as v1.34.1+k3s1. RKE2's containerd
# calls itself that of k3s.
ADDED, K3S = "+", "+k3s"
# Where Kubernetes keeps images in containerd.
NAMESPACE = "k8s.io"
MACHINE_ID, BOOT_ID = Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id")
Node = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Loader:
    """A command that copies an image from Docker into a cluster.

    Attributes:
        command: The command, without the image.
        options: Its options after the image.
        is_piped: Whether it reads the image from standard input, instead of asking Docker by name.
    """

    command: Sequence[str]
    options: Sequence[str] = ()
    is_piped: bool = False

    def commands(self, image: str) -> Sequence[Sequence[str]]:
        """Return the commands for an image: one, or two that are connected by a pipe."""
        if self.is_piped:
            return ((DOCKER, "save", image), (*self.command, *self.options))
        return ((*self.command, image, *self.options),)


@dataclass(frozen=True)
class Identity:
    """What distinguishes a Linux machine from others, as kubelet reports it about its own.

    Attributes:
        machine: Id of the installation. The nodes of kind, which are containers, have their own.
        boot: Id of the running kernel, which differs between copies of a virtual machine.
    """

    machine: str
    boot: str


def this_identity() -> Identity | None:
    """Return the identity of this machine, None where it has none, as in many containers."""
    with suppress(OSError):
        found = Identity(MACHINE_ID.read_text().strip(), BOOT_ID.read_text().strip())
        return found if found.machine and found.boot else None
    return None


def _identity(node: Node) -> Identity:
    """Return the identity of a machine of a cluster."""
    found = node["status"].get("nodeInfo", {})
    return Identity(found.get("machineID", ""), found.get("bootID", ""))


def loader_of(context: str, nodes: Sequence[Node], here: Identity | None) -> Loader | None:
    """Return how an image gets into a cluster on this machine, None for another cluster.

    Args:
        context: Its context.
        nodes: Its machines.
        here: This machine.
    """
    if context.startswith(KIND):
        name = context.removeprefix(KIND)
        return Loader(("kind", "load", "docker-image"), ("--name", name))
    if context.startswith(K3D):
        name = context.removeprefix(K3D)
        return Loader(("k3d", "image", "import"), ("--cluster", name))
    labels = [node["metadata"].get("labels", {}) for node in nodes]
    profiles = [str(each[MINIKUBE_LABEL]) for each in labels if MINIKUBE_LABEL in each]
    if profiles or context == MINIKUBE:
        name = [*profiles, MINIKUBE][0]
        return Loader(("minikube", "image", "load"), ("--profile", name))
    return _containerd(nodes, here)


def _containerd(nodes: Sequence[Node], here: Identity | None) -> Loader | None:
    """Return how an image gets into containerd, if a cluster has no machine but this one."""
    if here is None or [*map(_identity, nodes)] != [here]:
        return None
    about, labels = nodes[0]["status"]["nodeInfo"], nodes[0]["metadata"].get("labels", {})
    version = str(about.get("kubeletVersion", ADDED))
    if not str(about.get("containerRuntimeVersion", "")).startswith(CONTAINERD):
        return None
    if K3S in version:
        # It has a containerd of its own, whose address it knows.
        return Loader(("k3s", "ctr", "images", "import"), ("-",), is_piped=True)
    if ADDED in version or MICROK8S_LABEL in labels:
        # So do others. Where an ordinary one listens, there may be that of Docker.
        return None
    return Loader(("ctr", f"--namespace={NAMESPACE}", "images", "import"), ("-",), is_piped=True)
