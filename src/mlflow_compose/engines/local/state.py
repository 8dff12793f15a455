"""The status of services, from supervisord and from health checks."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

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
from mlflow_compose.engines.local import processes
from mlflow_compose.engines.local.supervisor import Process
from mlflow_compose.stack import Service

# supervisord's states, in Docker's terms.
STATES = {
    "STARTING": RUNNING,
    "RUNNING": RUNNING,
    "STOPPING": RUNNING,
    "BACKOFF": RESTARTING,
    "EXITED": EXITED,
    "FATAL": EXITED,
    "STOPPED": EXITED,
    # According to its documentation, a programming error in supervisord.
    "UNKNOWN": EXITED,
}


def service_status(service: Service, process: Process, health: str, restarts: int) -> ServiceStatus:
    """Return the status of a service.

    Args:
        service: Service to report on.
        process: Its state in supervisord.
        health: Health of the service.
        restarts: Number of restarts.
    """
    state = STATES[process.state] if process.started else CREATED
    running = state == RUNNING
    ports = tuple(f"{port.address}:{port.published}" for port in service.ports)
    return ServiceStatus(
        service.name,
        state,
        health=health,
        exit_code=process.exit_code if state == EXITED else 0,
        restarts=restarts,
        ports=ports if running else (),
    )


class HealthChecks:
    """The health checks of a stack, which are not repeated during a start once they passed."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        # Names and pids of servers that passed.
        self._passed: set[tuple[str, int]] = set()

    def run(self, service: Service, process: Process, timeout: float | None) -> str:
        """Return the health of a service, empty if it does not run.

        Args:
            service: Service to check.
            process: Its state in supervisord.
            timeout: Seconds that a check during a start may take; None at any other time.
        """
        if STATES.get(process.state) != RUNNING:
            return ""
        key = (service.name, process.pid)
        # Another check would only slow down the servers that still start.
        if timeout and key in self._passed:
            return HEALTHY
        found = health(service, process, self._folder, self._environ, timeout)
        if found == HEALTHY:
            self._passed.add(key)
        return found


def health(
    service: Service,
    process: Process,
    folder: Path,
    environ: Mapping[str, str],
    timeout: float | None = None,
) -> str:
    """Run the health check of a running service.

    Args:
        service: Service to check.
        process: Its state in supervisord.
        folder: Folder of the rendered files.
        environ: Environment of the check.
        timeout: Seconds that the check may take, by default its own timeout.
    """
    check = service.healthcheck
    if check is None:
        return ""
    try:
        done = subprocess.run(
            ["sh", f"{service.name}/healthcheck.sh"],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout or check.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        passed = False
    else:
        passed = done.returncode == 0
    if passed:
        return HEALTHY
    grace_period = (check.interval + check.waits) * check.retries
    return UNHEALTHY if processes.age(process.pid) > grace_period else STARTING
