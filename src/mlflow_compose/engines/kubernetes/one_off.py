"""Run a command with the configuration of a service: in one of its pods, or in a pod of its own."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from mlflow_compose.engines.base import Output, Start
from mlflow_compose.engines.kubernetes import resources
from mlflow_compose.engines.kubernetes.cluster import TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.pods import as_file, pod_for
from mlflow_compose.engines.kubernetes.resources import Pod, Resources
from mlflow_compose.engines.kubernetes.troubles import troubles
from mlflow_compose.engines.outcome import SIGNALED, Outcome
from mlflow_compose.engines.process import attach, run_process
from mlflow_compose.errors import EngineError

# Keeps its process id where another command finds it: killing kubectl does not end the command.
WRAPPER = 'echo $$ >"$0" && exec "$@"'
MARK = "/tmp/mlflow-compose-run-{}"  # noqa: S108 - of the pod
KILL = 'if [ -f "$0" ]; then kill "$(cat "$0")"; rm -f "$0"; fi'
REMOVE = 'rm -f "$0"'
ENDED = "command terminated with exit code"
# Exit code if there is no pod, as that of docker.
CANNOT_RUN = 125
# Seconds until a pod runs, and between two looks at it.
STARTS_WITHIN, POLL_EVERY = 120, 0.5


def run_once(  # noqa: PLR0913 - independent options
    cluster: Cluster,
    folder: Path,
    service: str,
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    on_output: Output | None = None,
    on_start: Start | None = None,
) -> Outcome:
    """Run a command to its end, without the image's entry point."""
    options = ("--stdin",) if stdin else ()
    run = partial(
        run_process,
        environ=cluster.environment,
        stdin=stdin,
        on_output=on_output,
        on_start=on_start,
    )
    try:
        return _own(_in_pod(cluster, folder, service, command, options, run))
    except EngineError as error:
        return Outcome(CANNOT_RUN, b"", error.message)


def attach_once(
    cluster: Cluster, folder: Path, service: str, command: Sequence[str], *, terminal: bool
) -> Outcome:
    """Run a command, connected to the standard streams of this process."""
    options = ("--stdin", "--tty") if terminal else ("--stdin",)
    run = partial(attach, environ=cluster.environment)
    try:
        return _in_pod(cluster, folder, service, command, options, run)
    except EngineError as error:
        return Outcome(CANNOT_RUN, b"", error.message)


def _own(outcome: Outcome) -> Outcome:
    """Return an outcome without the line that kubectl adds to the errors of a failed command."""
    lines = outcome.stderr.splitlines(keepends=True)
    if lines and lines[-1].startswith(ENDED):
        return replace(outcome, stderr="".join(lines[:-1]))
    return outcome


def _in_pod(  # noqa: PLR0913, PLR0917 - independent values
    cluster: Cluster,
    folder: Path,
    service: str,
    command: Sequence[str],
    options: Sequence[str],
    run: Callable[[Sequence[str]], Outcome],
) -> Outcome:
    with _pod(cluster, folder, service) as (pod, container):
        mark = MARK.format(secrets.token_hex(6))
        inside = cluster.kubectl("exec", pod, f"--container={container}")
        try:
            outcome = run([*inside, *options, "--quiet", "--", "sh", "-c", WRAPPER, mark, *command])
        except BaseException:
            cluster.call([*inside, "--", "sh", "-c", KILL, mark])
            raise
        # If it was kubectl that was ended, the command may still run.
        script = KILL if outcome.exit_code > SIGNALED else REMOVE
        cluster.call([*inside, "--", "sh", "-c", script, mark])
        return outcome


@contextmanager
def _pod(cluster: Cluster, folder: Path, service: str) -> Iterator[tuple[str, str]]:
    """Provide the name of a pod and of its container: a ready one, or a new one for this block."""
    now = resources.read(cluster)
    ready = [pod for pod in now.pods_of(service) if pod.is_ready]
    if ready:
        yield ready[0].name, service
        return
    manifest = pod_for(cluster, folder, service, is_installed="mlflow" in now.workloads)
    name = manifest["metadata"]["name"]
    try:
        with as_file(manifest) as file:
            cluster.do(cluster.kubectl("create", "--filename=-", TIMEOUT), stdin=file)
        _await(cluster, name, service)
        yield name, service
    finally:
        options = ("--ignore-not-found", "--wait=false", "--now", TIMEOUT)
        cluster.call(cluster.kubectl("delete", "pod", name, *options))


def _await(cluster: Cluster, name: str, service: str) -> None:
    """Wait until a pod runs.

    Raises:
        EngineError: It cannot, or does not in time.
    """
    deadline = time.monotonic() + STARTS_WITHIN
    while not (pod := Pod(cluster.get("pod", name))).is_ready:
        for trouble in troubles(Resources({}, [pod]), {}):
            if not trouble.patience:
                raise EngineError(f"a pod for {service} {trouble.sentence}", hint=trouble.hint)
        if time.monotonic() > deadline:
            waits = pod.condition("PodScheduled").get("message") or pod.raw["status"]["phase"]
            raise EngineError(
                f"a pod for {service} did not run after {STARTS_WITHIN} seconds: {waits}",
                hint="mlflow-compose status shows the state of the stack",
            )
        time.sleep(POLL_EVERY)
