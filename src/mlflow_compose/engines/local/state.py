"""The status of services, from supervisord and from health checks."""

import math
import socket
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
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
from mlflow_compose.stack import PATIENCE, Service
from mlflow_compose.stack.site import url_host

# Seconds after which a check that passed is repeated while other servers start.
REPEAT_AFTER = 5
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
        since=datetime.fromtimestamp(process.started, UTC) if running else None,
        ports=ports if running else (),
    )


class HealthChecks:
    """The health checks of a stack, which are rarely repeated during a start once they passed."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        # When a server passed, by its name and pid.
        self._passed: dict[tuple[str, int], float] = {}

    def run(self, service: Service, process: Process, timeout: float | None) -> str:
        """Return the health of a service, empty if it does not run.

        Args:
            service: Service to check.
            process: Its state in supervisord.
            timeout: Seconds that a check during a start may take; None at any other time.
        """
        if STATES.get(process.state) != RUNNING:
            return ""
        key, now = (service.name, process.pid), time.monotonic()
        # Checks at every poll would only slow down the servers that still start.
        if timeout and now - self._passed.get(key, -math.inf) < REPEAT_AFTER:
            return HEALTHY
        if timeout and not _listens(service) and processes.age(process.pid) < PATIENCE:
            return STARTING
        found = health(service, process, self._folder, self._environ, timeout)
        if found == HEALTHY:
            self._passed[key] = now
        return found


def _listens(service: Service) -> bool:
    """Tell whether a service accepts connections: cheaper than a check, which is a process."""
    for port in service.ports:
        try:
            socket.create_connection(
                (url_host(port.address).strip("[]"), port.published), 1
            ).close()
        except OSError:
            return False
    return True


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
    return UNHEALTHY if processes.age(process.pid) > PATIENCE else STARTING
