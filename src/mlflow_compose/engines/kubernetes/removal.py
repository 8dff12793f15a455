"""Remove a stack from its cluster, with or without its data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mlflow_compose.engines.kubernetes import install, ownership
from mlflow_compose.engines.kubernetes.cluster import SERVICE_LABEL, TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.install import ENDS_WITHIN
from mlflow_compose.engines.kubernetes.pods import RUN
from mlflow_compose.engines.kubernetes.resources import Resources
from mlflow_compose.result import Progress
from mlflow_compose.stack.chart import BACKUPS_CLAIM, CLAIMS, LOGIN

# Pods that no workload deletes: those of commands, and that of `helm test`.
LOOSE = (RUN, "test")
# A command that takes longer may be one that was killed, whose pod is left.
COMMANDS_TAKE = timedelta(hours=1)
ENDED = frozenset({"Succeeded", "Failed"})
# CloudNativePG's database, which the chart leaves in place, and the Secret that it reads all along.
DATABASE = "clusters.postgresql.cnpg.io"
# What kubectl prints if the cluster does not have CloudNativePG.
NO_DATABASE = "doesn't have a resource type"


def remove(cluster: Cluster, progress: Progress, *, volumes: bool) -> str:
    """Uninstall the chart and delete the Secrets; with `volumes`, the volume claims too.

    Returns what is kept, as a sentence, empty if nothing unexpected is.
    """
    uninstall = install.uninstall(cluster)
    if is_installed := ownership.release(cluster) is not None:
        progress.command(uninstall)
    with progress.step("Stopping"):
        if is_installed:
            cluster.do(uninstall)
        install.delete_old_jobs(cluster, 0)
        _delete_loose_pods(cluster)
        # helm waits for workloads, and not for their pods, which use the claims.
        waits = ("pods", cluster.selector, "--for=delete", f"--timeout={ENDS_WITHIN}s")
        cluster.do(cluster.kubectl("wait", *waits))
    kept = _kept_database(cluster)
    # Nothing else in the cluster reads them now, and `up` creates them again.
    but = (f"--field-selector=metadata.name!={LOGIN}",) if kept else ()
    _delete(cluster, progress, "secrets", cluster.selector, *but)
    others = list(_delete_claims(cluster, progress)) if volumes else []
    return "; ".join([*([kept] if kept else []), *others])


def delete_left_over(cluster: Cluster, now: Resources) -> None:
    """Delete pods of commands that ended, or that were killed together with their command."""
    before = datetime.now(UTC) - COMMANDS_TAKE
    for pod in now.pods_of(RUN):
        created = datetime.fromisoformat(pod.raw["metadata"]["creationTimestamp"])
        if created < before or pod.raw.get("status", {}).get("phase") in ENDED:
            options = ("--ignore-not-found", "--wait=false", TIMEOUT)
            cluster.do(cluster.kubectl("delete", "pod", pod.name, *options))


def _delete_loose_pods(cluster: Cluster) -> None:
    selector = f"{cluster.selector},{SERVICE_LABEL} in ({','.join(LOOSE)})"
    options = ("--ignore-not-found", "--wait=false", TIMEOUT)
    cluster.do(cluster.kubectl("delete", "pods", selector, *options))


def _kept_database(cluster: Cluster) -> str:
    """Return a sentence about a database of CloudNativePG, empty if there is none."""
    command = cluster.kubectl("get", DATABASE, cluster.selector, "--output=name", TIMEOUT)
    outcome = cluster.call(command)
    if outcome.exit_code:
        # Without the permission to look, the Secret may be in use.
        unknown = f"the Secret {LOGIN} is kept: a database of CloudNativePG may need it"
        return "" if NO_DATABASE in outcome.stderr else unknown
    if not outcome.stdout.strip():
        return ""
    delete = " ".join(cluster.kubectl("delete", DATABASE, "postgres"))
    return (
        f"the Cluster postgres of CloudNativePG, its data and the Secret {LOGIN} are kept; "
        f"{delete} deletes that data"
    )


def _delete_claims(cluster: Cluster, progress: Progress) -> Iterator[str]:
    """Delete the volume claims of the chart, and yield what is kept.

    Other claims may be of an operator or of the user.
    """
    found = {*ownership.claims(ownership.look(cluster), cluster.stack.identity)}
    if own := sorted(found & {*CLAIMS}):
        _delete(cluster, progress, "persistentvolumeclaims", *own)
    yield f"the namespace {cluster.place.name} is kept"
    if BACKUPS_CLAIM in found:
        # Like the folder `backups` on one machine, which no command deletes.
        delete = " ".join(cluster.kubectl("delete", "persistentvolumeclaims", BACKUPS_CLAIM))
        yield f"the snapshots are kept; {delete} deletes them"
    if others := sorted(found - {*CLAIMS, BACKUPS_CLAIM}):
        yield f"claims with this stack's id that the chart did not create: {', '.join(others)}"


def _delete(cluster: Cluster, progress: Progress, kind: str, *which: str) -> None:
    progress.command(command := cluster.kubectl("delete", kind, *which))
    cluster.do([*command, "--ignore-not-found"])
