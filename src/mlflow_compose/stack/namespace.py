"""Where a stack is in a Kubernetes cluster."""

from dataclasses import dataclass

from mlflow_compose.settings import Settings

KUBECTL, HELM = "kubectl", "helm"
# Characters of a release's name: Helm allows no more.
MOST_OF_NAME = 53


@dataclass(frozen=True)
class Namespace:
    """The place of a stack in a Kubernetes cluster.

    Attributes:
        context: Context of kubectl: the cluster, and the user there; empty if it is not known yet.
        name: Name of the namespace.
        release: Name of Helm's release.
    """

    context: str
    name: str
    release: str

    def __str__(self) -> str:
        """Return it in words."""
        context = f" of the context {self.context}" if self.context else ""
        return f"the namespace {self.name}{context}"

    @property
    def kubectl(self) -> tuple[str, ...]:
        """Kubectl with the option for its cluster."""
        return (KUBECTL, *(("--context", self.context) if self.context else ()))

    @property
    def helm(self) -> tuple[str, ...]:
        """Helm with the option for its cluster."""
        return (HELM, *(("--kube-context", self.context) if self.context else ()))

    @property
    def within(self) -> tuple[str, ...]:
        """The option of both for the namespace."""
        return ("--namespace", self.name)

    def forward(self, service: str, published: int, target: int) -> list[str]:
        """Return the command that makes the port of a service reachable on this machine."""
        return [
            *(*self.kubectl, *self.within),
            "port-forward",
            f"service/{service}",
            f"{published}:{target}",
        ]

    def address_of(self, service: str) -> str:
        """Return the name of a service in every namespace of the cluster."""
        return f"{service}.{self.name}"


def release_of(settings: Settings) -> str:
    """Return the name of a stack's release; names in Kubernetes have no underscore."""
    name = settings.compose_project_name.replace("_", "-").strip("-")
    return name[:MOST_OF_NAME].rstrip("-")


def namespace_of(settings: Settings) -> str:
    """Return the name of a stack's namespace, which it has for itself."""
    return settings.kube_namespace or release_of(settings)


def place_of(settings: Settings) -> Namespace:
    """Return the place of a stack in a cluster."""
    return Namespace(settings.kube_context, namespace_of(settings), release_of(settings))
