"""Install the chart of a stack, and end what an interrupted helm left behind."""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from mlflow_compose.engines.kubernetes.cluster import STACK_LABEL, TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.ownership import Release
from mlflow_compose.paths import SECRETS_FILE, VALUES_FILE
from mlflow_compose.result import Progress

# Jobs that run once in each revision, and not those of a CronJob.
OF_REVISION = re.compile(r"job\.batch/(?:mlflow-compose-migrate|bucket-init|bind-backups)-(\d+)")
# Who sets the fields of Secrets, as Kubernetes records it.
MANAGER = "--field-manager=mlflow-compose"
# Prefix of its states while helm is at work on a change, and its state during a removal.
PENDING, UNINSTALLING = "pending-", "uninstalling"
# Seconds in which the pods of a stack must have ended: MLflow's finish the requests that they have.
ENDS_WITHIN = 660


def create_namespace(cluster: Cluster, progress: Progress) -> None:
    """Create the namespace of a stack if there is none, and mark it as the stack's."""
    name = cluster.place.name
    found = cluster.do(
        cluster.kubectl("get", "namespace", name, "--ignore-not-found", "--output=name", TIMEOUT)
    )
    if found.strip():
        return
    progress.command(command := cluster.kubectl("create", "namespace", name))
    cluster.do(command)
    label = f"{STACK_LABEL}={cluster.stack.identity}"
    cluster.do(cluster.kubectl("label", "namespace", name, label, TIMEOUT))


def apply_secrets(cluster: Cluster, folder: Path, progress: Progress) -> None:
    """Create or change the Secrets of a stack.

    On the server, because otherwise kubectl would keep a second copy of them in an annotation.
    """
    path = str(folder / SECRETS_FILE)
    progress.command(cluster.kubectl("apply", "--server-side", "--filename", path))
    options = ("--server-side", "--force-conflicts", MANAGER, TIMEOUT)
    cluster.do(cluster.kubectl("apply", *options, "--filename", path))


def upgrade(
    cluster: Cluster, folder: Path, wait_timeout: float, without: Collection[str] = ()
) -> list[str]:
    """Return the command that installs the chart, or changes what is installed.

    Args:
        cluster: Namespace of the stack.
        folder: Folder of the chart.
        wait_timeout: Seconds until all pods must be ready.
        without: Services that get no pods, whatever the user's values say.
    """
    return cluster.helm(
        "upgrade",
        "--install",
        *(cluster.place.release, str(folder)),
        *_values(folder),
        # Otherwise, helm would go on using the user's values after their file was deleted.
        "--reset-values",
        *(f"--set={name}.replicas=0" for name in without),
        "--wait",
        "--wait-for-jobs",
        f"--timeout={wait_timeout:.0f}s",
    )


def uninstall(cluster: Cluster) -> list[str]:
    """Return the command that removes the release."""
    options = ("--wait", f"--timeout={ENDS_WITHIN}s")
    return cluster.helm("uninstall", cluster.place.release, *options)


def template(cluster: Cluster, folder: Path, name: str) -> list[str]:
    """Return the command that prints one of the chart's manifests."""
    shown = ("--show-only", f"templates/{name}.yaml")
    return cluster.helm("template", cluster.place.release, str(folder), *_values(folder), *shown)


def unlock(cluster: Cluster, found: Release | None, progress: Progress) -> None:
    """Finish a removal of the release that was interrupted, and forget such a change.

    helm refuses any other change until then. The next one gets the number of the forgotten one, and
    so the names of its jobs, which cannot be changed. A rollback would change those of the revision
    before, which is refused as well.
    """
    if found and found.status == UNINSTALLING:
        progress.command(command := uninstall(cluster))
        cluster.do(command)
    if found is None or not found.status.startswith(PENDING):
        return
    record = f"sh.helm.release.v1.{cluster.place.release}.v{found.revision}"
    for what in (("jobs", cluster.selector), ("secret", record)):
        progress.command(command := cluster.kubectl("delete", *what, "--ignore-not-found"))
        cluster.do(command)


def _values(folder: Path) -> Iterator[str]:
    if (folder / VALUES_FILE).exists():
        yield from ("--values", str(folder / VALUES_FILE))


def delete_old_jobs(cluster: Cluster, revision: int) -> None:
    """Delete the jobs of earlier revisions: helm forgets those of a change that failed."""
    names = cluster.do(cluster.kubectl("get", "jobs", cluster.selector, "--output=name", TIMEOUT))
    found = [job for name in names.decode().split() if (job := OF_REVISION.fullmatch(name))]
    old = [job[0] for job in found if job[1] != str(revision)]
    if old:
        cluster.do(cluster.kubectl("delete", *old, "--ignore-not-found", TIMEOUT))


def public_host(cluster: Cluster) -> str:
    """Return the host of the Ingress or of the Gateway, empty if there is none."""
    outcome = cluster.call(
        cluster.helm("get", "values", cluster.place.release, "--all", "--output=json")
    )
    # There is no such release before the first start.
    values = {} if outcome.exit_code else json.loads(outcome.stdout)
    for name in ("ingress", "gateway"):
        if values.get(name, {}).get("enabled"):
            return str(values[name]["host"])
    return ""
