"""The result of a start: which service keeps the stack from being up, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mlflow_compose.engines.base import EXITED, HEALTHY, RESTARTING, RUNNING, ServiceStatus
from mlflow_compose.errors import NotReadyError, ServiceFailedError
from mlflow_compose.stack import Stack

# A server that cannot start keeps restarting; after this many restarts it is not a coincidence.
RESTARTS_TO_GIVE_UP = 2


@dataclass(frozen=True)
class Verdict:
    """The result of a start.

    Attributes:
        lines: Output of the engine.
        failed: Whether it failed.
        late: Whether it failed because of the timeout.
        culprit: The service that is not up, None if no service is to blame.
    """

    lines: Sequence[str] = ()
    failed: bool = False
    late: bool = False
    culprit: ServiceStatus | None = None


def restarts(before: Sequence[ServiceStatus], now: Sequence[ServiceStatus]) -> dict[str, int]:
    """Return the number of restarts since `before`, by container."""
    counted = {status.container: status.restarts for status in before}
    since = {}
    for status in now:
        base = counted.get(status.container, 0)
        # Fewer than before: the container is a new one.
        since[status.container] = status.restarts - (base if status.restarts >= base else 0)
    return since


def find_culprit(
    stack: Stack, before: Sequence[ServiceStatus], now: Sequence[ServiceStatus]
) -> ServiceStatus | None:
    """Return the service that keeps the stack from being up, None if all are up.

    A service that keeps restarting takes precedence, whatever its state at this moment; then one
    that ended; then an unhealthy one; then the first that is not ready yet.
    """
    since = restarts(before, now)
    behind = [status for status in now if since[status.container] or not is_up(stack, status)]
    if not behind:
        return None
    worst = min(behind, key=lambda status: _rank(stack, status, since[status.container]))
    return replace(worst, state=RESTARTING) if since[worst.container] else worst


def failure(
    verdict: Verdict, culprit: ServiceStatus, last_lines: Iterable[str], wait_timeout: float
) -> NotReadyError | ServiceFailedError:
    """Return an error with the service that is not up and its last log lines."""
    lines = list(last_lines)
    output = "\n  ".join(["; its last lines:", *lines]) if lines else " and logged nothing"
    show = f"mlflow-compose logs {culprit.name} shows all of it"
    if verdict.late:
        return NotReadyError(
            f"{culprit.label} was not ready after {wait_timeout:g} seconds: "
            f"it is {culprit.text}{output}",
            service=culprit.name,
            hint=f"{show}; increase --wait-timeout to wait longer",
        )
    return ServiceFailedError(
        f"{culprit.label} {culprit.text}{output}", service=culprit.name, hint=show
    )


def _rank(stack: Stack, status: ServiceStatus, restarted: int) -> int:
    if restarted or status.state == RESTARTING:
        return 0
    if status.state == EXITED and (status.exit_code or not stack.service(status.name).one_shot):
        return 1
    return 2 if status.health == "unhealthy" else 3


def is_up(stack: Stack, status: ServiceStatus) -> bool:
    """Tell whether a service is ready, or a job is done."""
    if stack.service(status.name).one_shot:
        return status.state == EXITED and not status.exit_code
    return status.state == RUNNING and status.health in {"", HEALTHY}
