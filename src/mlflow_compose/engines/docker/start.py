"""Start the services of a stack with `docker compose up`."""

import shlex
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.docker.failures import docker_errors, last_line, last_lines
from mlflow_compose.engines.docker.watch import watch
from mlflow_compose.engines.rolling import failures, more_servers, of_stack, only, roll
from mlflow_compose.engines.verdict import Verdict, failure
from mlflow_compose.errors import EngineError, MlflowComposeError, ServiceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient

OPTIONS = ("up", "--detach", "--no-build")


@dataclass(frozen=True)
class Start:
    """One start of a stack.

    Attributes:
        stack: The stack.
        client: Client for its project.
        command: Returns a command as a user would type it.
        look: Returns the status of all services.
        progress: Receiver of progress.
        wait_timeout: Seconds that a start may take.
        began: Value of `time.monotonic` at the beginning.
    """

    stack: Stack
    client: "DockerClient"
    command: Callable[..., list[str]]
    look: Callable[[], Sequence[ServiceStatus]]
    progress: Progress
    wait_timeout: float
    began: float = field(default_factory=time.monotonic)

    def base(self, before: Sequence[ServiceStatus]) -> None:
        """Start the services that others need, and wait until each is healthy or done.

        Raises:
            ServiceFailedError: A service ended, or keeps ending.
            NotReadyError: A service did not become healthy in time.
        """
        stack = only(self.stack, independent=False)
        names = [service.name for service in stack.services]
        # Without names, Compose starts all services, also those of an override file. With an empty
        # list, python-on-whales would start none.
        chosen = names if len(stack.services) < len(self.stack.services) else None
        self.progress.command(self.command(*OPTIONS, "--wait", *(chosen or ())))
        output = self.client.compose.up(
            chosen, detach=True, wait=True, no_build=True, stream_logs=True
        )
        with self.progress.step(f"Starting {', '.join(names)}"):
            known, timeout = of_stack(stack, before), self.wait_timeout
            verdict = watch(
                stack, output, known, lambda: of_stack(stack, self.look()), self.progress, timeout
            )
        if verdict.failed:
            raise self._failure(verdict)

    def independent(self, without: Collection[str]) -> Sequence[ServiceError]:
        """Start the other services; return the failures of those that did not start.

        Args:
            without: Services that are not started.
        """
        stack = only(self.stack, independent=True, without=without)
        if not stack.services:
            return []
        jobs = [service for service in stack.services if service.one_shot]
        # Of those, Compose starts no containers.
        none = dict.fromkeys(without, 0)
        scales = chain.from_iterable(("--scale", f"{name}=0") for name in none)
        self.progress.command(self.command(*OPTIONS, *scales))
        servers = more_servers(len(stack.services) - len(jobs))
        with self.progress.step(f"Creating {servers}"), docker_errors(stack, "docker compose up"):
            self.client.compose.up(detach=True, no_build=True, quiet=True, scales=none)
        verdicts = roll(
            stack, lambda: of_stack(stack, self.look()), self.progress, self.wait_timeout
        )
        return failures(verdicts, self._last_lines, self.wait_timeout)

    def _last_lines(self, service: str) -> list[str]:
        return last_lines(self.client, self.stack, service, self.began)

    def _failure(self, verdict: Verdict) -> MlflowComposeError:
        if (culprit := verdict.culprit) is None:
            reason = self.stack.mask(last_line("\n".join(verdict.lines)))
            return EngineError(
                f"docker compose up failed: {reason}",
                hint=f"{shlex.join(self.command('up', '--detach'))} shows all of it",
            )
        return failure(verdict, culprit, self._last_lines(culprit.name), self.wait_timeout)
