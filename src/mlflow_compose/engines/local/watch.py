"""Wait until the services are up, or until waiting is pointless."""

import time
from collections.abc import Callable, Iterable, Sequence

from mlflow_compose.engines.base import EXITED, ServiceStatus
from mlflow_compose.engines.verdict import (
    RESTARTS_TO_GIVE_UP,
    Verdict,
    failure,
    find_culprit,
    is_up,
    restarts,
)
from mlflow_compose.errors import EngineError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Seconds.
POLL_EVERY = 0.2


def watch(
    stack: Stack,
    look: Callable[[], Sequence[ServiceStatus]],
    progress: Progress,
    wait_timeout: float,
) -> Verdict:
    """Poll the services until all are up.

    Args:
        stack: Stack to start.
        look: Returns the status of the services.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.
    """
    before, deadline = look(), time.monotonic() + wait_timeout
    reported: set[str] = set()
    while True:
        now = look()
        for status in now:
            if is_up(stack, status) and status.name not in reported:
                reported.add(status.name)
                progress.detail(f"{status.name} {status.health or status.state}")
        if len(reported) == len(stack.services) and all(is_up(stack, status) for status in now):
            return Verdict()
        failed = any(_has_failed(stack, status) for status in now) or any(
            count >= RESTARTS_TO_GIVE_UP for count in restarts(before, now).values()
        )
        if failed or time.monotonic() > deadline:
            culprit = find_culprit(stack, before, now)
            return Verdict(failed=True, late=not failed, culprit=culprit)
        time.sleep(POLL_EVERY)


def _has_failed(stack: Stack, status: ServiceStatus) -> bool:
    """Tell whether a job failed."""
    return stack.service(status.name).one_shot and status.state == EXITED and status.exit_code != 0


def check(
    verdict: Verdict, last_lines: Callable[[str], Iterable[str]], wait_timeout: float
) -> None:
    """Raise the error of a start that failed.

    Args:
        verdict: Verdict on the start.
        last_lines: Returns the last lines of a service's log.
        wait_timeout: Seconds that the start could take.

    Raises:
        ServiceError: A service failed.
        EngineError: The stack did not start, for another reason.
    """
    if not verdict.failed:
        return
    if verdict.culprit is None:
        raise EngineError("the stack did not start", hint="mlflow-compose logs shows why")
    raise failure(verdict, verdict.culprit, last_lines(verdict.culprit.name), wait_timeout)
