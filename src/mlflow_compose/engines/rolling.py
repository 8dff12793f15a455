"""Wait for services that do not need each other: one that fails does not stop the others."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from mlflow_compose.engines.base import CREATED, EXITED, RESTARTING, ServiceStatus
from mlflow_compose.engines.verdict import (
    RESTARTS_TO_GIVE_UP,
    Verdict,
    failure,
    is_up,
    restarts,
)
from mlflow_compose.errors import ServiceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Failures that are reported with the last lines of the log; one cause often breaks many services.
EXPLAINED = 3
# Seconds.
POLL_EVERY = 1


def roll(
    stack: Stack,
    look: Callable[[], Sequence[ServiceStatus]],
    progress: Progress,
    wait_timeout: float,
) -> Mapping[str, Verdict]:
    """Poll services until each is up or has failed; return the verdicts on those that failed.

    Args:
        stack: Stack with these services only.
        look: Returns their status.
        progress: Receiver of progress.
        wait_timeout: Seconds until the next service must be up, counted again after each.
    """
    if not stack.services:
        return {}
    servers = sum(not service.one_shot for service in stack.services)
    with progress.step(f"Starting {more_servers(servers)}"):
        return _roll(stack, look, progress, wait_timeout)


def more_servers(count: int) -> str:
    """Return the number of servers, besides those that run, in words."""
    return f"{count} more server{'' if count == 1 else 's'}"


def _roll(
    stack: Stack,
    look: Callable[[], Sequence[ServiceStatus]],
    progress: Progress,
    wait_timeout: float,
) -> Mapping[str, Verdict]:
    before, up = look(), set[str]()
    servers = {service.name for service in stack.services if not service.one_shot}
    failed: dict[str, Verdict] = {}
    deadline = time.monotonic() + wait_timeout
    while True:
        now = look()
        failed |= {name: verdict for name, verdict in _failed(stack, before, now) if name not in up}
        for name in [each.name for each in now if is_up(stack, each) and each.name not in up]:
            up.add(name)
            failed.pop(name, None)
            deadline = time.monotonic() + wait_timeout
            if not stack.service(name).one_shot:
                progress.detail(f"{name} is up, {len(up & servers)} of {len(servers)}")
        waiting = [each.name for each in stack.services if each.name not in {*up, *failed}]
        if not waiting:
            return failed
        if time.monotonic() > deadline:
            # One without a status was not even created.
            found = {name: ServiceStatus(name, CREATED) for name in waiting}
            found |= {each.name: each for each in now if each.name in waiting}
            return {
                **failed,
                **{n: Verdict(failed=True, late=True, culprit=each) for n, each in found.items()},
            }
        time.sleep(POLL_EVERY)


def only(stack: Stack, *, independent: bool, without: Collection[str] = ()) -> Stack:
    """Return a stack with its independent services only, or with the others.

    Args:
        stack: The stack.
        independent: Which of the two.
        without: Names of services that are left out.
    """
    chosen = (each for each in stack.services if each.is_independent == independent)
    return replace(stack, services=tuple(each for each in chosen if each.name not in without))


def of_stack(stack: Stack, found: Iterable[ServiceStatus]) -> tuple[ServiceStatus, ...]:
    """Return the statuses of a stack's services."""
    return tuple(status for status in found if stack.has(status.name))


def failures(
    verdicts: Mapping[str, Verdict],
    last_lines: Callable[[str], Iterable[str]],
    wait_timeout: float,
) -> list[ServiceError]:
    """Return an error for each service that failed, the first few with their last log lines."""
    errors: list[ServiceError] = []
    for number, (name, verdict) in enumerate(verdicts.items()):
        if verdict.culprit:
            lines = last_lines(name) if number < EXPLAINED else ()
            errors.append(failure(verdict, verdict.culprit, lines, wait_timeout))
    return errors


def _failed(
    stack: Stack, before: Sequence[ServiceStatus], now: Sequence[ServiceStatus]
) -> Iterable[tuple[str, Verdict]]:
    counted = restarts(before, now)
    for status in now:
        job_failed = stack.service(status.name).one_shot and bool(status.exit_code)
        if status.state == EXITED and (job_failed or not stack.service(status.name).one_shot):
            yield status.name, Verdict(failed=True, culprit=status)
        elif counted[status.container] >= RESTARTS_TO_GIVE_UP and not is_up(stack, status):
            culprit = replace(status, state=RESTARTING)
            yield status.name, Verdict(failed=True, culprit=culprit)
