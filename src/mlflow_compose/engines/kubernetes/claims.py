"""Volume claims of a stack: which S3 server wrote the data in them."""

from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.errors import EngineError

# All S3 servers use the same claim, and none reads the data of another.
CLAIM, LABEL = "s3-data", "mlflow-compose.provider"
ESCAPED = LABEL.replace(".", r"\.")


def check_format(cluster: Cluster) -> None:
    """Make sure that the S3 server can read the data in its claim, if there is any.

    Raises:
        EngineError: Another one wrote it.
    """
    wanted = cluster.stack.s3_provider
    template = f"--output=jsonpath={{.metadata.labels.{ESCAPED}}}"
    options = ("--ignore-not-found", template, TIMEOUT)
    found = cluster.do(cluster.kubectl("get", "persistentvolumeclaim", CLAIM, *options)).decode()
    if wanted and found not in {"", wanted}:
        raise EngineError(
            f"the claim {CLAIM} holds data of S3_PROVIDER {found}, which {wanted} cannot read",
            hint=f"set S3_PROVIDER={found} back in .env, or KUBE_NAMESPACE to another namespace",
        )


def mark_format(cluster: Cluster) -> None:
    """Record in the claim which S3 server writes to it."""
    if not cluster.stack.s3_provider:
        return
    label = f"{LABEL}={cluster.stack.s3_provider}"
    named = (f"--field-selector=metadata.name={CLAIM}", cluster.selector)
    options = ("--overwrite", *named, TIMEOUT)
    cluster.do(cluster.kubectl("label", "persistentvolumeclaims", label, *options))
