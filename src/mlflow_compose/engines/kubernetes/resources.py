"""What the cluster reports about the workloads and pods of a stack, as statuses of services."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflow_compose.engines.base import (
    CREATED,
    EXITED,
    HEALTHY,
    RESTARTING,
    RUNNING,
    STARTING,
    UNHEALTHY,
    ServiceStatus,
)
from mlflow_compose.engines.kubernetes.cluster import SERVICE_LABEL, Cluster
from mlflow_compose.stack import Service, Stack

KINDS = "deployments.apps,statefulsets.apps,jobs.batch,pods"
# Jobs that belong to a service: they prepare what it needs.
PART_OF: Mapping[str, str] = {"migrate": "mlflow", "bind-backups": "backup"}
REVISION_LABEL = "controller-revision-hash"
CRASHES = "CrashLoopBackOff"
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod.

    Attributes:
        raw: What the cluster reports.
    """

    raw: Object

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw["metadata"]["name"])

    @property
    def part(self) -> str:
        """Name of the workload that it belongs to: a service, or a job of one."""
        return _name_of(self.raw)

    @property
    def service(self) -> str:
        """Name of its service."""
        return PART_OF.get(self.part, self.part)

    @property
    def ends(self) -> bool:
        """Whether it is being deleted."""
        return "deletionTimestamp" in self.raw["metadata"]

    @property
    def revision(self) -> str:
        """The version of its StatefulSet, empty if it belongs to none."""
        return str(self.raw["metadata"].get("labels", {}).get(REVISION_LABEL, ""))

    @property
    def containers(self) -> Sequence[Object]:
        """The states of its containers, first those that run before the server."""
        status = self.raw.get("status", {})
        return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]

    @property
    def main(self) -> Object:
        """The state of its server's container, empty before there is one."""
        return next(iter(self.raw.get("status", {}).get("containerStatuses", ())), {})

    @property
    def is_ready(self) -> bool:
        """Whether it gets requests."""
        return not self.ends and self.condition("Ready").get("status") == "True"

    @property
    def restarts(self) -> int:
        """How often its containers were restarted."""
        return sum(each.get("restartCount", 0) for each in self.containers)

    def condition(self, kind: str) -> Object:
        """Return one of its conditions, empty if it has none of that type."""
        return condition(self.raw, kind)


@dataclass(frozen=True)
class Resources:
    """The workloads and pods of a stack at one moment.

    Attributes:
        workloads: Deployments, StatefulSets and the latest Job of each name, by name.
        pods: Pods, without those that are being deleted.
    """

    workloads: Mapping[str, Object]
    pods: Sequence[Pod]

    def pods_of(self, service: str) -> Sequence[Pod]:
        """Return the pods of a service, without those of its jobs."""
        return [pod for pod in self.pods if pod.part == service]

    @property
    def outdated(self) -> Sequence[Pod]:
        """Pods of StatefulSets that are not of the current version."""
        current = {
            name: each.get("status", {}).get("updateRevision")
            for name, each in self.workloads.items()
            if each["kind"] == "StatefulSet"
        }
        return [
            pod
            for pod in self.pods
            if pod.part in current and pod.revision not in {"", current[pod.part]}
        ]

    def statuses(self, stack: Stack) -> tuple[ServiceStatus, ...]:
        """Return the status of the services in start order."""
        return tuple(
            self._status(service) for service in stack.services if service.name in self.workloads
        )

    def _status(self, service: Service) -> ServiceStatus:
        workload, pods = self.workloads[service.name], self.pods_of(service.name)
        if service.one_shot:
            return _job(service.name, workload, pods)
        wanted = workload["spec"].get("replicas", 1)
        if not pods:
            return ServiceStatus(service.name, CREATED if wanted else EXITED)
        worst = min(pods, key=lambda pod: (pod.is_ready, -pod.restarts))
        found = _server(service.name, worst)
        ready = sum(pod.is_ready for pod in pods)
        if ready >= wanted and found.health != HEALTHY:
            # Others are ready: the new one of a rolling update is not missed yet.
            found = _server(service.name, next(pod for pod in pods if pod.is_ready))
        return found


def read(cluster: Cluster) -> Resources:
    """Return the workloads and pods of a stack as they are now."""
    return parse(cluster.get(KINDS, cluster.selector))


def parse(items: Sequence[Object]) -> Resources:
    """Return workloads and pods from what `kubectl get` prints."""
    ordered = sorted(items, key=lambda item: str(item["metadata"].get("creationTimestamp", "")))
    workloads = {_name_of(item): item for item in ordered if item["kind"] != "Pod"}
    pods = [Pod(item) for item in ordered if item["kind"] == "Pod"]
    return Resources(workloads, [pod for pod in pods if not pod.ends])


def condition(item: Object, kind: str) -> Object:
    """Return a condition of an object, empty if it has none of that type."""
    found: Sequence[Object] = item.get("status", {}).get("conditions") or ()
    return next((each for each in found if each["type"] == kind), {})


def _name_of(item: Object) -> str:
    metadata = item["metadata"]
    return str(metadata.get("labels", {}).get(SERVICE_LABEL, metadata["name"]))


def _server(name: str, pod: Pod) -> ServiceStatus:
    state = pod.main.get("state", {})
    since = state.get("running", {}).get("startedAt")
    return ServiceStatus(
        name,
        _state(pod),
        _health(pod) if since else "",
        exit_code=next(_exit_codes(pod), 0),
        restarts=pod.restarts,
        since=datetime.fromisoformat(since) if since else None,
        image_id=pod.main.get("imageID", ""),
    )


def _state(pod: Pod) -> str:
    if any(map(_crashes, pod.containers)):
        return RESTARTING
    if "running" in pod.main.get("state", {}):
        return RUNNING
    return EXITED if "terminated" in pod.main.get("state", {}) else CREATED


def _crashes(container: Object) -> bool:
    """Tell whether a container failed, and is about to be started again."""
    state = container.get("state", {})
    is_next = state.get("waiting", {}).get("reason") == CRASHES
    return is_next or bool(state.get("terminated", {}).get("exitCode"))


def _health(pod: Pod) -> str:
    if pod.is_ready:
        return HEALTHY
    return UNHEALTHY if pod.main.get("started") else STARTING


def _exit_codes(pod: Pod) -> Iterator[int]:
    """Yield exit codes of containers that ended, and do not run again."""
    for each in pod.containers:
        ended = each.get("state", {}).get("terminated") or each.get("lastState", {}).get(
            "terminated"
        )
        if ended and ended["exitCode"] and "running" not in each.get("state", {}):
            yield int(ended["exitCode"])


def _job(name: str, job: Object, pods: Sequence[Pod]) -> ServiceStatus:
    status = job.get("status", {})
    if status.get("succeeded"):
        return ServiceStatus(name, EXITED)
    code = next((code for pod in reversed(pods) for code in _exit_codes(pod)), 1)
    if has_failed(job):
        return ServiceStatus(name, EXITED, exit_code=code)
    is_running = any("running" in pod.main.get("state", {}) for pod in pods)
    return ServiceStatus(name, RUNNING if is_running else CREATED)


def has_failed(job: Object) -> bool:
    """Tell whether a job has failed, so that no further attempt would help."""
    # Attempts that follow take minutes.
    attempts = 2
    failed = job.get("status", {}).get("failed", 0) >= attempts
    return condition(job, "Failed").get("status") == "True" or failed
