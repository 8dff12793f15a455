"""What `.ci/setup` has prepared for tests of the Helm chart and of the cluster."""

import os
import sys
from functools import cache
from pathlib import Path

from dotenv import dotenv_values

CHECKOUT = Path(__file__).parents[1]
CLUSTER = CHECKOUT / ".ci" / "k8s" / "cluster"
WRITTEN = CHECKOUT / ".ci" / "images.env"


def prepared(name: str) -> str:
    """Return a variable of the environment, or of the file that `.ci/setup` writes."""
    written = dotenv_values(WRITTEN) if WRITTEN.is_file() else {}
    return os.environ.get(name) or written.get(name) or ""


def home() -> Path:
    """Return the folder of all programs, and of the cluster's state."""
    return Path(prepared("K8S_HOME"))


def program(name: str) -> str:
    """Return the path of `helm`, `kubectl` or `kubeconform`; never the machine's own."""
    return str(home() / "bin" / name)


def kubeconform(*files: Path) -> list[str]:
    """Return the command that checks manifests against the schemas of Kubernetes and of CRDs."""
    schemas = prepared("CI_KUBERNETES_SCHEMAS")
    return [program("kubeconform"), "-strict", f"-schema-location={schemas}", *map(str, files)]


@cache
def helm_trouble() -> str:
    """Return why Helm and kubeconform are not here, or an empty string if they are."""
    if not prepared("K8S_HOME") or not (home() / "complete").exists():
        return "there is no Helm in K8S_HOME (.ci/setup puts it there)"
    return ""


@cache
def cluster_trouble() -> str:
    """Return why the cluster cannot run here, or an empty string if it can."""
    if sys.platform != "linux" or os.geteuid():
        return "only root on Linux can start a cluster"
    return helm_trouble().replace("Helm", "Kubernetes")
