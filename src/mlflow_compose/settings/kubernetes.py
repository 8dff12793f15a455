"""The settings of a stack in a Kubernetes cluster."""

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import Namespace, OneLine, Registry, setting
from mlflow_compose.settings.sections import KUBERNETES


class KubernetesSettings(BaseSettings):
    """Which cluster the stack runs in, and where that gets its image from."""

    kube_context: OneLine = setting(
        "", "Context of kubectl; empty: the current one, which is asked for.", section=KUBERNETES
    )
    kube_namespace: Namespace = setting(
        "", "Namespace of the stack; empty: COMPOSE_PROJECT_NAME.", section=KUBERNETES
    )
    stack_registry: Registry = setting(
        "",
        "Registry that the image of MLflow is pushed to, such as ghcr.io/lab; empty: none.",
        section=KUBERNETES,
    )
