"""What keeps pods from running, so that waiting for them is pointless."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlflow_compose.engines.kubernetes.resources import (
    CRASHES,
    Object,
    Pod,
    Resources,
    condition,
    has_failed,
)
from mlflow_compose.engines.verdict import RESTARTS_TO_GIVE_UP

OVERRIDE = "helm/values.override.yaml"
IMAGES: Mapping[str, str] = {
    "postgres": "POSTGRES_IMAGE",
    "s3": "MINIO_IMAGE",
    "mlflow": "MLFLOW_IMAGE",
    "bucket-init": "MLFLOW_IMAGE",
}
# Pods of jobs that run later, or for a person: the stack does not wait for them.
LATER = frozenset({"backup", "read-backups", "gc"})
# What to change if a job fails that belongs to no service.
OF_JOBS: Mapping[str, str] = {"bind-backups": f"see backup.storage in {OVERRIDE}"}
# The cluster tries again, but the first attempt has failed by then.
NOT_PULLED = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
NOT_CREATED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
# Seconds for which a pod may have no machine: its volume or another machine may be on the way.
PATIENCE = 20.0
NO_VOLUME = ("persistentvolumeclaim", "volume node affinity", "available persistent volumes")
# Restarts of containers, by pod and container.
Restarts = Mapping[str, int]


@dataclass(frozen=True)
class Trouble:
    """Why a service does not start.

    Attributes:
        service: Name of the service.
        sentence: What is wrong with it, to follow its name.
        hint: What to do, empty if its log tells.
        pod: Pod whose log explains it, empty if none does.
        container: Container of that pod.
        patience: Seconds for which it must last before it counts.
    """

    service: str
    sentence: str
    hint: str = ""
    pod: str = ""
    container: str = ""
    patience: float = 0.0


def counted(resources: Resources) -> Restarts:
    """Return how often each container was restarted."""
    return {
        f"{pod.raw['metadata']['uid']}/{each['name']}": each.get("restartCount", 0)
        for pod in resources.pods
        for each in pod.containers
    }


def troubles(resources: Resources, before: Restarts) -> Iterator[Trouble]:
    """Yield what keeps services from starting.

    Args:
        resources: Workloads and pods as they are now.
        before: Restarts before the start.
    """
    for name, workload in resources.workloads.items():
        yield from _of_workload(name, workload, resources)
    now = counted(resources)
    for pod in (each for each in resources.pods if each.part not in LATER):
        yield from _unscheduled(pod)
        for each in pod.containers:
            key = f"{pod.raw['metadata']['uid']}/{each['name']}"
            yield from _of_container(pod, each, now[key] - before.get(key, 0))


def _of_workload(name: str, workload: Object, resources: Resources) -> Iterator[Trouble]:
    refused = condition(workload, "ReplicaFailure")
    if refused.get("status") == "True":
        yield Trouble(name, f"has no pods: {refused.get('message', '')}", f"see {OVERRIDE}")
    if workload["kind"] == "Job" and has_failed(workload):
        pods = resources.pods_of(name)
        what = "failed" if name in IMAGES else f"waits for the job {name}, which failed"
        service = pods[-1].service if pods else name
        pod = pods[-1].name if pods else ""
        yield Trouble(service, what, OF_JOBS.get(name, ""), pod=pod, container=name)


def _unscheduled(pod: Pod) -> Iterator[Trouble]:
    found = pod.condition("PodScheduled")
    if found.get("status") != "False" or found.get("reason") != "Unschedulable":
        return
    message = str(found.get("message", "")).rstrip(".")
    if any(words in message.lower() for words in NO_VOLUME):
        yield Trouble(
            pod.service,
            f"has no volume for its data: {message}",
            f"set {pod.service}.storage.className in {OVERRIDE} to one of those that kubectl get "
            "storageclasses lists",
            patience=PATIENCE,
        )
        return
    yield Trouble(
        pod.service,
        f"fits on no machine of the cluster: {message}",
        f"add a machine, or change {pod.service}.resources or pods in {OVERRIDE}",
        patience=PATIENCE,
    )


def _of_container(pod: Pod, container: Object, restarts: int) -> Iterator[Trouble]:
    waiting = container.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), str(waiting.get("message", ""))
    if reason in NOT_PULLED:
        image = container.get("image", "")
        yield Trouble(
            pod.service,
            f"has no image: {image} cannot be pulled ({message or reason})",
            f"set {IMAGES.get(pod.service, 'MLFLOW_IMAGE')} in .env to an image that the cluster "
            f"can pull; a login for its registry belongs to pods.imagePullSecrets in {OVERRIDE}",
        )
    elif reason in NOT_CREATED:
        yield Trouble(pod.service, f"cannot be started: {message or reason}", f"see {OVERRIDE}")
    elif restarts >= RESTARTS_TO_GIVE_UP or (restarts and reason == CRASHES):
        yield Trouble(
            pod.service,
            f"keeps restarting{_end(container)}",
            pod=pod.name,
            container=container["name"],
        )


def _end(container: Object) -> str:
    ended = container.get("lastState", {}).get("terminated", {})
    if ended.get("reason") == "OOMKilled":
        return " (it needs more memory than its limit)"
    return f" (exit code {ended['exitCode']})" if "exitCode" in ended else ""
