"""The Docker engine: each method is one Compose command, and what follows from its failure."""

import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import Outcome, ServiceStatus
from mlflow_compose.engines.docker import availability
from mlflow_compose.engines.docker.failures import (
    SHOWN_LINES,
    build_failed,
    in_words,
    last_line,
    pull_failed,
)
from mlflow_compose.engines.docker.starting import (
    LOOK_EVERY,
    Stream,
    keeps_ending,
    waiting_for,
)
from mlflow_compose.errors import EngineError, NotReadyError, ServiceFailedError
from mlflow_compose.paths import SECRETS_DIR, StackPaths
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from python_on_whales import Container, DockerClient

SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


class DockerEngine:
    """Runs a stack with `docker compose`, as python-on-whales calls it."""

    name = "docker"

    def __init__(self, stack: Stack, paths: StackPaths) -> None:
        self.stack = stack
        self._paths = paths

    @cached_property
    def _client(self) -> "DockerClient":
        from python_on_whales import DockerClient

        return DockerClient(
            compose_files=list(self._paths.compose_files),
            compose_project_name=self.stack.name,
        )

    def check(self) -> None:
        """Make sure that Docker and Compose v2 are here and that the engine answers."""
        availability.check(self._client)

    def prepare(self, progress: Progress) -> None:
        """Pull and build the images that are not here."""
        self._pull(progress)
        built = self.stack.built
        if built is None or self._client.image.exists(built.image):
            return
        progress.command(self.command("build", built.name))
        with progress.step(f"Building {built.image}"):
            self._build(built.name, built.image, progress)

    def start(self, progress: Progress, *, wait_timeout: float) -> None:
        """Start all services and wait until each is healthy or done."""
        self._remove_outdated()
        before = self.status()
        progress.command(self.command("up", "--detach", "--wait"))
        names = ", ".join(service.name for service in self.stack.services)
        with progress.step(f"Starting {names}"):
            self._up(before, progress, wait_timeout)

    def stop(self, progress: Progress, *, volumes: bool) -> None:
        """Stop and remove all services; with `volumes`, their data too."""
        progress.command(self.command("down", *(["--volumes"] if volumes else [])))
        with progress.step("Stopping"), in_words(self.stack, "docker compose down"):
            self._client.compose.down(volumes=volumes, remove_orphans=True, quiet=True)

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return how the services are, in the stack's order."""
        order = [service.name for service in self.stack.services]
        found = [_status(container) for container in self._containers()]
        return tuple(sorted(found, key=lambda status: order.index(status.name)))

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield log lines, of all services where none is named."""
        with in_words(self.stack, "docker compose logs"):
            output = self._client.compose.logs(
                list(services), follow=follow, tail=None if tail is None else str(tail), stream=True
            )
            for _, line in output:
                yield self.stack.mask(line.decode(errors="replace").rstrip("\n"))

    def run_python(self, service: str, code: str, *arguments: str) -> Outcome:
        """Run Python in a container of its own that is like `service`'s."""
        from python_on_whales.exceptions import DockerException

        try:
            output = self._client.compose.run(
                service,
                ["python", "-c", code, *arguments],
                remove=True,
                tty=False,
                dependencies=False,
            )
        except DockerException as error:
            return Outcome(error.return_code, error.stdout or "", error.stderr or "")
        return Outcome(0, str(output), "")

    def held_ports(self) -> frozenset[int]:
        """Return the ports of this machine that the stack itself holds."""
        return frozenset(
            int(binding["HostPort"])
            for container in self._containers()
            for binding in _bindings(container)
        )

    def owner_of(self, port: int) -> str | None:
        """Name the container that holds a port of this machine."""
        for container in self._client.container.list():
            if any(int(binding["HostPort"]) == port for binding in _bindings(container)):
                project = (container.config.labels or {}).get(PROJECT_LABEL)
                suffix = f" of the stack {project}" if project else ""
                return f"the container {container.name}{suffix}"
        return None

    def command(self, *arguments: str) -> list[str]:
        """Return the docker command that a user would type from the stack's directory."""
        folder = self._paths.compose.name
        return ["docker", "compose", "--project-directory", folder, *arguments]

    def _containers(self) -> list["Container"]:
        known = {service.name for service in self.stack.services}
        with in_words(self.stack, "docker compose ps"):
            return [
                container
                for container in self._client.compose.ps(all=True)
                if _label(container, SERVICE_LABEL) in known
                and _label(container, ONE_OFF_LABEL) != "True"
            ]

    def _pull(self, progress: Progress) -> None:
        """Pull what is missing: Compose would too, but says too much and not why it failed."""
        from python_on_whales.exceptions import DockerException

        missing = {
            service.name: service.image
            for service in self.stack.services
            if service.pull_policy is None and not self._client.image.exists(service.image)
        }
        if not missing:
            return
        progress.command(self.command("pull", *missing))
        images = sorted(set(missing.values()))
        with progress.step(f"Pulling {', '.join(images)}"):
            try:
                for _, line in self._client.compose.pull(list(missing), stream_logs=True) or ():
                    progress.detail(line.decode(errors="replace").strip())
            except DockerException as error:
                raise pull_failed(self.stack, images, error.stderr or "") from None

    def _build(self, service: str, image: str, progress: Progress) -> None:
        from python_on_whales.exceptions import DockerException

        output: list[str] = []
        try:
            for _, line in self._client.compose.build([service], stream_logs=True) or ():
                output.append(line.decode(errors="replace").rstrip())
                progress.detail(self.stack.mask(output[-1]))
        except DockerException:
            raise build_failed(self.stack, image, output) from None

    def _remove_outdated(self) -> None:
        """Remove containers that still hold a secret as it was before a change.

        A changed secret is a new file, a container keeps the old one mounted, and Compose does
        not look at what is in secret files.
        """
        outdated = [
            _label(container, SERVICE_LABEL)
            for container in self._containers()
            if self._secrets_changed(_label(container, SERVICE_LABEL)) > _created(container)
        ]
        if outdated:
            with in_words(self.stack, "docker compose rm"):
                self._client.compose.rm(outdated, stop=True)

    def _secrets_changed(self, service: str) -> datetime:
        folder = self._paths.compose / SECRETS_DIR
        times = [
            (folder / secret.name).stat().st_mtime
            for secret in self.stack.service(service).secrets
            if secret.file is None
        ]
        return datetime.fromtimestamp(max(times, default=0), UTC)

    def _up(self, before: Sequence[ServiceStatus], progress: Progress, wait_timeout: float) -> None:
        deadline = time.monotonic() + wait_timeout
        stream = Stream()
        output = self._client.compose.up(
            detach=True, wait=True, remove_orphans=True, no_build=True, stream_logs=True
        )
        thread = threading.Thread(
            target=stream.follow, args=(output, lambda line: _milestone(line, progress))
        )
        thread.daemon = True
        thread.start()
        while not stream.ended.wait(LOOK_EVERY):
            now = self.status()
            if ending := keeps_ending(before, now):
                _terminate_children()
                raise self._failed(ending)
            if time.monotonic() > deadline:
                _terminate_children()
                raise self._not_ready(waiting_for(self.stack, now), wait_timeout)
        if stream.error:
            culprit = waiting_for(self.stack, self.status())
            raise self._failed(culprit) if culprit else self._unexplained(stream)

    def _failed(self, status: ServiceStatus) -> ServiceFailedError:
        return ServiceFailedError(
            f"{status.name} {status.text}{self._last_lines(status.name)}",
            hint=f"mlflow-compose logs {status.name} shows all of it",
        )

    def _not_ready(self, status: ServiceStatus | None, wait_timeout: float) -> NotReadyError:
        name = status.name if status else "the stack"
        state = f": it is {status.text}" if status else ""
        lines = self._last_lines(status.name) if status else ""
        return NotReadyError(
            f"{name} was not ready after {wait_timeout:g} seconds{state}{lines}",
            hint=f"mlflow-compose logs {name if status else ''}".rstrip()
            + " shows what it does; --wait-timeout gives it longer",
        )

    def _unexplained(self, stream: Stream) -> EngineError:
        said = self.stack.mask(last_line("\n".join(stream.lines)))
        return EngineError(
            f"docker compose up failed: {said}",
            hint=f"{shlex.join(self.command('up', '--detach'))} shows all of it",
        )

    def _last_lines(self, service: str) -> str:
        lines = list(self.logs([service], follow=False, tail=SHOWN_LINES))
        return "\n  ".join(["; its last lines:", *lines]) if lines else " and said nothing"


def _status(container: "Container") -> ServiceStatus:
    state = container.state
    return ServiceStatus(
        name=_label(container, SERVICE_LABEL),
        state=state.status or "",
        health=(state.health.status or "") if state.health else "",
        exit_code=state.exit_code or 0,
        restarts=container.restart_count or 0,
        ports=tuple(
            f"{binding['HostIp']}:{binding['HostPort']}" for binding in _bindings(container)
        ),
    )


def _label(container: "Container", name: str) -> str:
    return (container.config.labels or {}).get(name, "")


def _bindings(container: "Container") -> list[dict[str, str]]:
    ports = container.network_settings.ports or {}
    return [binding for bindings in ports.values() for binding in bindings or ()]


def _created(container: "Container") -> datetime:
    return container.created.astimezone(UTC)


def _milestone(line: str, progress: Progress) -> None:
    words = line.split()
    if len(words) == 3 and words[0] == "Container":  # noqa: PLR2004 - Container NAME STATE
        progress.detail(f"{words[1]} {words[2].lower()}")


def _terminate_children() -> None:
    """End the `docker compose up` that we gave up on; python-on-whales keeps no handle of it."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        child.terminate()
