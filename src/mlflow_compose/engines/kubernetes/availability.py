"""Find out whether a cluster can be used, and what is missing if not."""

import shutil
from collections.abc import Mapping

from mlflow_compose.engines.kubernetes.cluster import reason_of
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Namespace
from mlflow_compose.stack.namespace import HELM, KUBECTL

INSTALL: Mapping[str, str] = {
    KUBECTL: "see https://kubernetes.io/docs/tasks/tools/",
    HELM: "see https://helm.sh/docs/intro/install/",
}
CONTEXTS = "kubectl config get-contexts"


def check_programs(environ: Mapping[str, str], *names: str) -> None:
    """Make sure that programs are installed.

    Raises:
        EngineError: One is missing.
    """
    for name in names:
        if shutil.which(name, path=environ.get("PATH")) is None:
            raise EngineError(f"{name} is not in PATH, and a cluster needs it", hint=INSTALL[name])


def problem(place: Namespace, outcome: Outcome) -> EngineError:
    """Return why a cluster did not answer, from what kubectl reports."""
    text, name = outcome.stderr, place.context or "kubectl"
    if "does not exist" in text and "context" in text:
        return EngineError(
            f"kubectl has no context {name}",
            hint=f"set KUBE_CONTEXT in .env; {CONTEXTS} lists them",
        )
    if "Unauthorized" in text or "must be logged in" in text:
        return EngineError(
            f"the cluster of the context {name} does not accept its login",
            hint=f"log in again; kubectl --context {name} get namespaces tells whether that worked",
        )
    if "Forbidden" in text or "forbidden" in text:
        return EngineError(
            f"the user of the context {name} may not use the namespace {place.name}: "
            f"{reason_of(text)}",
            hint="ask for the role edit there, or set KUBE_NAMESPACE to a namespace of yours",
        )
    return EngineError(
        f"the cluster of the context {name} does not answer: {reason_of(text)}",
        hint=f"kubectl --context {name} cluster-info shows more",
    )
