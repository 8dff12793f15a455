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

# From supervisord's words to Docker's.
STATES = {
    "STARTING": RUNNING,
    "RUNNING": RUNNING,
    "STOPPING": RUNNING,
    "BACKOFF": RESTARTING,
    "EXITED": EXITED,
    "FATAL": EXITED,
    "STOPPED": EXITED,
    # A programming error in supervisord, by its own words.
    "UNKNOWN": EXITED,
}


def service_status(
    service: Service, process: Process, answers: str, restarts: int
) -> ServiceStatus:
    """Return the status of a service.

    Args:
        service: Service to look at.
        process: Its state in supervisord.
        answers: Its health.
        restarts: Number of restarts.
    """
    state = STATES[process.state] if process.started else CREATED
    running = state == RUNNING
    ports = tuple(f"{port.address}:{port.published}" for port in service.ports)
    return ServiceStatus(
        service.name,
        state,
        health=answers,
        exit_code=process.exit_code if state == EXITED else 0,
        restarts=restarts,
        ports=ports if running else (),
    )


def health(
    service: Service,
    process: Process,
    folder: Path,
    environ: Mapping[str, str],
    seconds: float | None = None,
) -> str:
    """Run the health check of a running service.

    Args:
        service: Service to look at.
        process: Its state in supervisord.
        folder: Folder of the rendered files.
        environ: Environment of the check.
        seconds: Timeout in seconds, by default that of the check.
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
            timeout=seconds or check.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        answers = False
    else:
        answers = done.returncode == 0
    if answers:
        return HEALTHY
    patience = check.interval * check.retries
    return UNHEALTHY if processes.age(process.pid) > patience else STARTING
