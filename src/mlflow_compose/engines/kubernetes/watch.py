"""Watch `helm upgrade --wait`, which waits to the end for pods that can never start."""

import subprocess
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from mlflow_compose.engines.kubernetes import resources
from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.logs import last_lines
from mlflow_compose.engines.kubernetes.resources import Pod, Resources
from mlflow_compose.engines.kubernetes.troubles import Trouble, counted, troubles
from mlflow_compose.engines.process import end, run_process
from mlflow_compose.engines.verdict import find_culprit, is_up
from mlflow_compose.errors import EngineError, MlflowComposeError, NotReadyError, ServiceFailedError
from mlflow_compose.result import Progress

if TYPE_CHECKING:
    from mlflow_compose.engines.outcome import Outcome

# Seconds between looks: each runs kubectl.
POLL_EVERY = 1.0
# Seconds for which helm may take longer than it was told to.
GRACE = 5.0
# Seconds until the pods and jobs of an earlier version are gone.
SETTLES_WITHIN = 10.0
# In its errors: it has installed the chart, and has waited in vain.
WAITED = ("context deadline exceeded", "timed out waiting", "job is failed")


@dataclass
class Watch:
    """One run of helm, with the pods that it changes.

    Attributes:
        cluster: Namespace of the stack.
        progress: Receiver of progress.
        wait_timeout: Seconds until everything must be ready.
        before: Workloads and pods before it.
    """

    cluster: Cluster
    progress: Progress
    wait_timeout: float
    before: Resources
    _since: dict[Trouble, float] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    def follow(self, command: Sequence[str]) -> None:
        """Run helm to its end, or until waiting is pointless.

        Raises:
            ServiceFailedError: A service cannot start.
            NotReadyError: A service did not become ready in time.
            EngineError: helm failed.
        """
        restarts = counted(self.before)
        settling = {each.service for each in troubles(self.before, {})}
        running = _Running(command, self.cluster)
        deadline = time.monotonic() + self.wait_timeout + GRACE
        try:
            while running.is_alive(POLL_EVERY):
                now = resources.read(self.cluster)
                self._report(now)
                self._replace_outdated(now)
                if trouble := self._lasting(troubles(now, restarts), settling):
                    raise self._failed(trouble)
                if time.monotonic() > deadline:
                    raise self._late(now)
        finally:
            running.end()
        if outcome := running.outcome:
            if not outcome.exit_code:
                return
            if not any(words in outcome.stderr for words in WAITED):
                raise self.cluster.failed(command, outcome)
            now = resources.read(self.cluster)
            trouble = next(troubles(now, restarts), None)
            raise self._failed(trouble) if trouble else self._late(now)
        raise running.error or EngineError("helm did not end", hint="mlflow-compose up again")

    def _report(self, now: Resources) -> None:
        for status in now.statuses(self.cluster.stack):
            if is_up(self.cluster.stack, status) and status.name not in self._reported:
                self._reported.add(status.name)
                self.progress.detail(f"{status.name} {status.health or 'done'}")

    def _replace_outdated(self, now: Resources) -> None:
        """Delete pods of an earlier version that never became ready.

        A StatefulSet waits for them before it starts a pod of the new version.
        """
        for pod in now.outdated:
            if next(troubles(Resources({}, [pod]), {}), None):
                delete = ("delete", "pod", pod.name, "--wait=false", TIMEOUT)
                self.cluster.do(self.cluster.kubectl(*delete))

    def _lasting(self, found: Iterable[Trouble], settling: Collection[str]) -> Trouble | None:
        """Return a trouble that has lasted for long enough to count.

        Args:
            found: What is wrong now.
            settling: Services in which something was wrong before.
        """
        now, seen = time.monotonic(), list(found)
        self._since = {each: self._since.get(each, now) for each in seen}
        for each in seen:
            settles = SETTLES_WITHIN if each.service in settling else 0.0
            if now - self._since[each] >= max(each.patience, settles):
                return each
        return None

    def _failed(self, trouble: Trouble) -> MlflowComposeError:
        lines = last_lines(self.cluster, trouble.pod, trouble.container)
        return ServiceFailedError(
            f"{trouble.service} {trouble.sentence}{_output(lines)}",
            service=trouble.service,
            hint=trouble.hint or f"mlflow-compose logs {trouble.service} shows all of it",
        )

    def _late(self, now: Resources) -> MlflowComposeError:
        statuses = now.statuses(self.cluster.stack)
        culprit = find_culprit(self.cluster.stack, statuses, statuses)
        if culprit is None:
            return NotReadyError(
                f"the stack was not ready after {self.wait_timeout:g} seconds",
                service="mlflow",
                hint="mlflow-compose status shows it; increase --wait-timeout to wait longer",
            )
        pods = [pod for pod in now.pods if pod.service == culprit.name and not pod.is_ready]
        lines = [line for pod in pods[:1] for line in self._told_by(pod)]
        return NotReadyError(
            f"{culprit.name} was not ready after {self.wait_timeout:g} seconds: it is "
            f"{culprit.text}{_output(lines)}",
            service=culprit.name,
            hint=f"mlflow-compose logs {culprit.name} shows all of it; increase --wait-timeout to "
            "wait longer",
        )

    def _told_by(self, pod: Pod) -> list[str]:
        """Return the last warning about a pod, and the last lines of the container that runs."""
        about = f"--field-selector=involvedObject.name={pod.name},type=Warning"
        events = self.cluster.get("events", about, "--sort-by=.lastTimestamp")
        warnings = [self.cluster.stack.mask(str(each.get("message", ""))) for each in events]
        running = (each["name"] for each in pod.containers if "running" in each.get("state", {}))
        return warnings[-1:] + last_lines(self.cluster, pod.name, next(running, pod.part))


class _Running:
    """A command that runs in the background."""

    def __init__(self, command: Sequence[str], cluster: Cluster) -> None:
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self._command, self._cluster = command, cluster
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def is_alive(self, seconds: float) -> bool:
        """Wait for the end, but not longer than some seconds; tell whether it still runs."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    def end(self) -> None:
        """End it, if it has not ended."""
        if self._thread.is_alive() and self._process:
            end(self._process)
        self._thread.join()

    def _run(self) -> None:
        environ = self._cluster.environment
        try:
            self.outcome = run_process(self._command, environ=environ, on_start=self._started)
        except Exception as error:  # noqa: BLE001 - raised again by `follow`
            self.error = error

    def _started(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process


def _output(lines: Sequence[str]) -> str:
    return "\n  ".join(["; its last lines:", *lines]) if lines else ""
