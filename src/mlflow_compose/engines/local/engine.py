"""The local engine: the services are processes of this machine."""

import stat
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO

from mlflow_compose.engines.access import Published
from mlflow_compose.engines.base import Output, ServiceStatus, SharedFolder, Start
from mlflow_compose.engines.local import availability, folders, log, orphans, packages, processes
from mlflow_compose.engines.local.commands import Commands
from mlflow_compose.engines.local.folders import Folders
from mlflow_compose.engines.local.mounts import mount_points
from mlflow_compose.engines.local.outdated import changed_since, changed_since_start
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.starts import Starts
from mlflow_compose.engines.local.state import HealthChecks, service_status
from mlflow_compose.engines.local.supervisor import CONFIGURATION, GUARD, RUN, Supervisor
from mlflow_compose.engines.local.traces import LOGS, remove_traces
from mlflow_compose.engines.local.watch import check, watch
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.removed import Removed
from mlflow_compose.engines.rolling import failures, only, roll
from mlflow_compose.errors import EngineError, ServiceError
from mlflow_compose.paths import StackPaths
from mlflow_compose.result import Progress
from mlflow_compose.stack import Service, Stack, known_volumes

SHOWN_LINES = 12
# Seconds that a health check may take while services start: some block until the server answers.
STARTING_TIMEOUT = 0.5
# Variables that servers inherit from the caller: none that could change the stack.
INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TERM", "TZ", "USER")


class LocalEngine(Published):
    """Runs a stack as processes of this machine, watched by supervisord."""

    name = "local"

    def __init__(
        self, stack: Stack, paths: StackPaths, environ: Mapping[str, str], copied_from: str = ""
    ) -> None:
        self.stack = stack
        self._folder = paths.local
        self._owner = Owner(stack.identity, self._folder)
        self._data = Folders(stack, self._folder, copied_from)
        self._supervisor = Supervisor(self._owner, stack.site.socket)
        self._installer_environ = environ
        self._environ = {name: environ[name] for name in INHERITED if name in environ}
        self._starts = Starts(self._folder / RUN)
        self._checks = HealthChecks(self._folder, self._environ)
        self._commands = Commands(stack, self._folder, self._owner, self._environ)
        names = (service.name for service in stack.services)
        self._start_logs = log.StartLogs(paths.local / LOGS, names)

    def check(self) -> None:
        """Make sure that this machine and these settings can be used."""
        availability.check(self.stack)

    def check_data(self, *, start_empty: bool = False, held: Collection[str] = ()) -> None:
        """Make sure that the data belongs to this stack and that the S3 server can read it."""
        del start_empty  # This engine has only one S3 server, so one folder.
        orphans.check_no_units(self._owner)
        availability.check_data(self.stack, self._folder)
        self._data.check(held)

    def data_folders(self) -> tuple[str, ...]:
        """Return the data folders that carry the stack's id, as its rendered files spell them."""
        return self._data.marked

    def prepare(self, progress: Progress) -> None:
        """Install missing packages."""
        availability.check_user(self.stack)
        for service in self.stack.services:
            availability.create_user(service)
        packages.install(self.stack, self._folder, self._installer_environ, progress)

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        """Start all services and wait until each is healthy or done."""
        needed = only(self.stack, independent=False)
        rest = only(self.stack, independent=True, without=without)
        look = partial(self._read_status, timeout=STARTING_TIMEOUT)
        with progress.step(f"Starting {', '.join(each.name for each in needed.services)}"):
            self._create_folders()
            self._supervise()
            for service in without:
                self._supervisor.stop_process(service)
            verdict = watch(needed, partial(look, needed), progress, wait_timeout)
            self._data.claim_shared()
        check(verdict, self._last_lines, wait_timeout)
        verdicts = roll(rest, partial(look, rest), progress, wait_timeout)
        return failures(verdicts, self._last_lines, wait_timeout)

    def _last_lines(self, service: str) -> list[str]:
        return [self.stack.mask(line) for line in self._start_logs.last(service, SHOWN_LINES)]

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        """Stop all services; with `volumes`, delete their data too."""
        with progress.step("Stopping"):
            if self._supervisor.answers() and not self._supervisor.was_moved():
                self._supervisor.shut_down()
            orphans.end_orphans(self._owner)
            if not volumes:
                return ""
            remove_traces(self._folder, self.stack.services)
            # Including what a migration left behind.
            return self.remove_volumes(known_volumes()).kept

    def stop_service(self, name: str) -> None:
        """Stop a running service, which the next start starts again."""
        self._supervisor.stop_process(name)

    def start_service(self, name: str) -> None:
        """Start a service that was stopped."""
        self._supervisor.start_process(name)

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return the status of the services in start order."""
        return self._read_status(self.stack) if self._supervisor.answers() else ()

    def _read_status(self, stack: Stack, timeout: float | None = None) -> tuple[ServiceStatus, ...]:
        found = self._supervisor.processes()
        known = [service for service in stack.services if service.name in found]
        with ThreadPoolExecutor(len(known) or 1) as pool:
            answers = pool.map(lambda one: self._checks.run(one, found[one.name], timeout), known)
            health = list(answers)
        return tuple(
            service_status(service, found[service.name], answers, self._starts.restarts(service))
            for service, answers in zip(known, health, strict=True)
        )

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield log lines of the named services, of all if none is named."""
        names = list(services) or [service.name for service in self.stack.services]
        running = self._supervisor.answers if follow else None
        for line in log.read(self._folder / LOGS, names, tail=tail, follow=running):
            yield self.stack.mask(line)

    def run(  # noqa: PLR0913 - independent options
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        folder: SharedFolder | None = None,
        on_output: Output | None = None,
        on_start: Start | None = None,
    ) -> Outcome:
        """Run a command with the packages, the environment and the secrets of a service."""
        return self._commands.run(
            service, command, stdin=stdin, folder=folder, on_output=on_output, on_start=on_start
        )

    def attach(self, service: str, command: Sequence[str], *, terminal: bool) -> Outcome:
        """Run a command like `run`, connected to the standard streams of this process."""
        del terminal
        return self._commands.attach(service, command)

    def unused_volumes(self) -> tuple[str, ...]:
        """Return the data folders that the services no longer use."""
        unused = (path for path in self._data.existing if path not in self._data.used)
        return tuple(path.name for path in unused if path.name in known_volumes())

    def remove_volumes(self, names: Container[str]) -> Removed:
        """Delete data folders, except those elsewhere and those without the stack's id."""
        chosen = self._data.chosen(names)
        if user := processes.process_using(self._folder, chosen):
            raise EngineError(
                f"{user} uses the data in {self._folder / folders.DATA}, so nothing was deleted",
                hint="stop it, then run the same command again",
            )
        # A link does not lead anywhere once it is deleted.
        places = {path.name: str(path.resolve()) for path in chosen}
        unmarked = self._data.unmarked(names)
        outside = self._data.remove(names, mount_points())
        removed = tuple(name for name, place in places.items() if place not in outside)
        return Removed(removed, folders.describe_kept(outside, unmarked))

    def removal_command(self, volume: str) -> list[str]:
        """Return the command with which a user can delete a data folder and everything in it."""
        return ["rm", "-r", str(self._folder / folders.DATA / volume)]

    def held_ports(self) -> frozenset[int]:
        """Return the ports of this machine that the stack itself uses, or is about to use."""
        # Including orphans of an earlier run, which a start ends.
        return processes.ports_of(self._owner)

    def listens_on(self, port: int) -> bool:
        """Tell whether the stack itself listens on a port of this machine right now."""
        return port in self.held_ports()

    def owner_of(self, port: int) -> str | None:
        """Return None: ports are held by processes, which the caller looks up."""
        del port
        return None

    def _create_folders(self) -> None:
        for name in (LOGS, RUN):
            (self._folder / name).mkdir(exist_ok=True)
            (self._folder / name).chmod(stat.S_IRWXU)
        self._data.create()

    def _supervise(self) -> None:
        """Start supervisord; if it is running, only start or restart services that need it."""
        running = self._supervisor.answers()
        configuration = self._folder / CONFIGURATION
        mark = self._folder / RUN / "supervisord.pid"
        if running and self._supervisor.was_moved():
            running = False
        elif running and changed_since(mark, configuration):
            self._supervisor.update()
            mark.touch()
        if not running:
            orphans.end_orphans(self._owner)
            self._starts.forget(self.stack.services)
            self._start_logs.begin()
            self._supervisor.start(self._environ)
            return
        orphans.end_abandoned_commands(self._owner)
        for service in reversed(self.stack.services):
            if not service.one_shot and self._is_outdated(service):
                self._supervisor.stop_process(service.name)
        self._start_logs.begin()
        self._starts.forget(self._stopped())
        for service in self.stack.services:
            if service.one_shot:
                # Services that depend on the job must wait for this run of it.
                (self._folder / RUN / f"{service.name}.done").unlink(missing_ok=True)
            self._supervisor.start_process(service.name)
        self._supervisor.start_process(GUARD)

    def _stopped(self) -> list[Service]:
        found = self._supervisor.processes()
        return [service for service in self.stack.services if not found[service.name].pid]

    def _is_outdated(self, service: Service) -> bool:
        """Tell whether a service must be restarted: its files changed, or it is in BACKOFF."""
        if self._supervisor.processes()[service.name].state == "BACKOFF":
            return True
        return changed_since_start(self._folder, service)
