"""What must be true before a stack starts on its data: settings, and who wrote the volumes."""

from mlflow_compose.engines.container_settings import REFUSED_TEXT, impossible_user, own_hosts
from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.errors import EngineError, SettingsError
from mlflow_compose.stack import Stack
from mlflow_compose.stack.chart import S3_CLAIM

# All S3 servers use the same claim, and none reads the data of another.
LABEL = "mlflow-compose.provider"
ESCAPED = LABEL.replace(".", r"\.")


def check_settings(stack: Stack) -> None:
    """Make sure that pods can use the settings of the database and of the servers elsewhere.

    Raises:
        SettingsError: A setting points a pod to itself.
        EngineError: PG_USER is not possible.
    """
    for name, host in own_hosts(stack):
        raise SettingsError(
            f"{name} must not be {host} in a cluster: that is the pod itself",
            hint=f"set {name} to an address that the cluster's machines reach",
        )
    if user := impossible_user(stack):
        raise EngineError(
            f"PG_USER must not contain any of {REFUSED_TEXT} in a cluster: PostgreSQL's image "
            f"cannot create the user {user}",
            hint="set another PG_USER in .env",
        )


def check_format(cluster: Cluster) -> None:
    """Make sure that the S3 server can read the data in its claim, if there is any.

    Raises:
        EngineError: Another one wrote it.
    """
    wanted = cluster.stack.s3_provider
    template = f"--output=jsonpath={{.metadata.labels.{ESCAPED}}}"
    options = ("--ignore-not-found", template, TIMEOUT)
    found = cluster.do(cluster.kubectl("get", "persistentvolumeclaim", S3_CLAIM, *options)).decode()
    if wanted and found not in {"", wanted}:
        raise EngineError(
            f"the claim {S3_CLAIM} holds data of S3_PROVIDER {found}, which {wanted} cannot read",
            hint=f"set S3_PROVIDER={found} back in .env, or KUBE_NAMESPACE to another namespace",
        )


def mark_format(cluster: Cluster) -> None:
    """Record in the claim which S3 server writes to it."""
    if not cluster.stack.s3_provider:
        return
    label = f"{LABEL}={cluster.stack.s3_provider}"
    named = (f"--field-selector=metadata.name={S3_CLAIM}", cluster.selector)
    options = ("--overwrite", *named, TIMEOUT)
    cluster.do(cluster.kubectl("label", "persistentvolumeclaims", label, *options))
