"""The commands that a stack in a Kubernetes cluster does not have, and what to use instead."""

from collections.abc import Mapping

PAGE = "docs/how-to/kubernetes.md"
BACKUPS = "docs/how-to/helm.md"
BACKUP = (
    "set backup.enabled to true in helm/values.override.yaml, then mlflow-compose up; "
    f"{BACKUPS} shows how to take a backup now"
)
RESTORE = (
    f"restore into a stack on this machine, and move that into a new namespace: {BACKUPS} shows how"
)
CLASS = "a class runs on one machine: set STACK_ENGINE=docker in .env, in a folder of its own"
# What to do instead, by command.
UNSUPPORTED: Mapping[str, str] = {
    "backup": BACKUP,
    "restore": RESTORE,
    "reset": "mlflow-compose down --volumes deletes the data, mlflow-compose up starts without any",
    "upgrade": f"{PAGE} shows how to change MLFLOW_VERSION",
    "gc": "set gc.enabled to true in helm/values.override.yaml, then mlflow-compose up",
    "import": "import into a stack on this machine, and move that into the cluster",
    "serve": "serve the model on another machine, with MLFLOW_TRACKING_URI set to this stack",
    "service": "the cluster itself starts the stack again",
    "class": CLASS,
    "dvc": f"{PAGE} shows how to make the S3 server reachable",
}
