"""The engine for a Kubernetes cluster: each method asks kubectl or helm."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import IO

from mlflow_compose.engines.access import Access
from mlflow_compose.engines.base import Output, ServiceStatus, SharedFolder
from mlflow_compose.engines.base import Start as OnStart
from mlflow_compose.engines.kubernetes import (
    availability,
    claims,
    forward,
    images,
    install,
    logs,
    ownership,
    removal,
    resources,
)
from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.install import ENDS_WITHIN
from mlflow_compose.engines.kubernetes.one_off import attach_once, run_once
from mlflow_compose.engines.kubernetes.watch import Watch
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.removed import Removed
from mlflow_compose.errors import EngineError, MlflowComposeError, ServiceError
from mlflow_compose.paths import StackPaths
from mlflow_compose.result import Progress
from mlflow_compose.stack import Namespace, PublishedPort, Stack
from mlflow_compose.stack.namespace import HELM, KUBECTL

DIRECT = "direct"


class KubernetesEngine:
    """Runs a stack in a namespace of a cluster."""

    name = "kubernetes"

    def __init__(self, stack: Stack, paths: StackPaths, environ: Mapping[str, str]) -> None:
        self.stack = stack
        self._paths = paths
        self._folder = paths.helm
        self._environ = environ
        self._forwards: list[forward.Forward] = []

    @cached_property
    def _place(self) -> Namespace:
        if self.stack.site.namespace is None:
            raise ValueError("the stack is not for a cluster")
        return self.stack.site.namespace

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self.stack, self._place, self._environ)

    def check(self) -> None:
        """Make sure that the cluster answers, and that the namespace has no other stack."""
        availability.check_programs(self._environ, KUBECTL, HELM)
        items = ownership.look(self._cluster)
        ownership.check(self._cluster, items, ownership.release(self._cluster))

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        """Make sure that pods can use the settings, and that the S3 server can read its data."""
        del held, start_empty
        claims.check_settings(self.stack)
        claims.check_format(self._cluster)

    def data_folders(self) -> tuple[str, ...]:
        """Return no folders: pods have none of this machine's."""
        return ()

    def prepare(self, progress: Progress) -> None:
        """Build the image and bring it into the cluster; create the namespace and the Secrets."""
        images.prepare(self._cluster, self._paths, progress)
        install.create_namespace(self._cluster, progress)
        install.apply_secrets(self._cluster, self._folder, progress)

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        """Install the chart, or change what is installed, and wait until all pods are ready."""
        cluster = self._cluster
        install.unlock(cluster, ownership.release(cluster), progress)
        before = resources.read(cluster)
        removal.delete_left_over(cluster, before)
        watch = Watch(cluster, progress, wait_timeout, before)
        command = install.upgrade(cluster, self._folder, wait_timeout, without)
        progress.command(command)
        names = ", ".join(service.name for service in self.stack.services)
        try:
            with progress.step(f"Starting {names}"):
                watch.follow(command)
        except BaseException:
            # It is about what went wrong first, which is what the user has to know.
            with suppress(MlflowComposeError):
                claims.mark_format(cluster)
            raise
        claims.mark_format(cluster)
        found = ownership.release(cluster)
        install.delete_old_jobs(cluster, found.revision if found else 0)
        return ()

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        """Uninstall the chart and delete the Secrets; with `volumes`, the volume claims too."""
        return removal.remove(self._cluster, progress, volumes=volumes)

    def stop_service(self, name: str) -> None:
        """Stop the pods of a service, which the next start starts again."""
        self._scale(name, 0)
        selector = f"{self._cluster.selector},app.kubernetes.io/name={name}"
        waits = ("pods", selector, "--for=delete", f"--timeout={ENDS_WITHIN}s")
        self._cluster.do(self._cluster.kubectl("wait", *waits))

    def start_service(self, name: str) -> None:
        """Start one pod of a service that was stopped."""
        self._scale(name, 1)

    def _scale(self, name: str, replicas: int) -> None:
        workload = resources.read(self._cluster).workloads.get(name)
        if workload is None:
            raise EngineError(f"{name} is not in the cluster", hint="mlflow-compose up")
        target = f"{workload['kind'].lower()}/{name}"
        self._cluster.do(self._cluster.kubectl("scale", target, f"--replicas={replicas}", TIMEOUT))

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return the status of the services in start order."""
        return resources.read(self._cluster).statuses(self.stack)

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield log lines of the named services, of all if none is named."""
        return logs.read(self._cluster, services, follow=follow, tail=tail)

    def run(  # noqa: PLR0913 - independent options
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        folder: SharedFolder | None = None,
        on_output: Output | None = None,
        on_start: OnStart | None = None,
    ) -> Outcome:
        """Run a command in a pod of a service, or in one like it."""
        if folder:
            raise EngineError(
                f"a pod cannot use {folder.path}, which is on this machine",
                hint="docs/how-to/kubernetes.md lists what works in a cluster",
            )
        return run_once(
            self._cluster,
            self._folder,
            service,
            command,
            stdin=stdin,
            on_output=on_output,
            on_start=on_start,
        )

    def attach(self, service: str, command: Sequence[str], *, terminal: bool) -> Outcome:
        """Run a command like `run`, connected to the standard streams of this process."""
        return attach_once(self._cluster, self._folder, service, command, terminal=terminal)

    def unused_volumes(self) -> tuple[str, ...]:
        """Return no volumes: each server has one claim, whatever its settings."""
        return ()

    def remove_volumes(self, names: Collection[str]) -> Removed:
        """Delete volume claims of the stack with their data."""
        found = {*ownership.claims(ownership.look(self._cluster), self.stack.identity)} & {*names}
        for name in sorted(found):
            self._cluster.do(self._cluster.kubectl("delete", "persistentvolumeclaim", name))
        return Removed(tuple(sorted(found)))

    def removal_command(self, volume: str) -> list[str]:
        """Return the command with which a user can delete a volume claim and its data."""
        return self._cluster.kubectl("delete", "persistentvolumeclaim", volume)

    @contextmanager
    def reachable(self, names: Collection[str] = ()) -> Iterator[None]:
        """Make ports of the stack reachable on this machine while the block runs."""
        chosen = [port for _, port in self.stack.ports if port.name in names] or self._ports
        wanted = [
            (port.name, port.published, port.target)
            for port in chosen
            # A kubectl that the user started does the same.
            if not forward.forwards(self._cluster, port.name, port)
        ]
        with forward.forwarded(self._cluster, wanted) as self._forwards:
            yield
        self._forwards = []

    def access(self) -> Access:
        """Return how users of this machine reach the stack."""
        if host := install.public_host(self._cluster):
            return Access({"mlflow": f"https://{host}"})
        urls = {port.name: self.stack.urls[port.name] for port in self._ports}
        first = next(port for port in self._ports if port.name == "mlflow")
        return Access(urls, self._place.forward("mlflow", first.published, first.target))

    def held_ports(self) -> frozenset[int]:
        """Return the ports of this machine that the stack itself uses, or never will."""
        used = {port.published for port in self._ports}
        others = {port.published for _, port in self.stack.ports} - used
        return frozenset({*others, *filter(self.listens_on, used)})

    def listens_on(self, port: int) -> bool:
        """Tell whether a port of this machine leads to the stack right now."""
        if any(each.port == port for each in self._forwards):
            return any(each.port == port and each.listens for each in self._forwards)
        return any(
            forward.forwards(self._cluster, service.name, each)
            for service, each in self.stack.ports
            if each.published == port
        )

    def owner_of(self, port: int) -> str | None:
        """Return None: ports are held by processes, which the caller looks up."""
        del port
        return None

    @property
    def _ports(self) -> tuple[PublishedPort, ...]:
        """The ports that clients on this machine need."""
        wanted = {"mlflow", *(["s3"] if self.stack.artifact_access == DIRECT else [])}
        return tuple(port for _, port in self.stack.ports if port.name in wanted)
