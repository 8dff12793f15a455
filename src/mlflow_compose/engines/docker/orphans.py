"""Containers of the project that belong to no service, such as those of an earlier setting.

Compose's `--remove-orphans` would also remove containers that users add to the project with more
Compose files than the tool knows, so the stack's own are removed one by one.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflow_compose.engines.base import EXITED
from mlflow_compose.engines.docker.containers import (
    ONE_OFF_LABEL,
    SERVICE_LABEL,
    STACK_LABEL,
    label,
    name_of,
)
from mlflow_compose.engines.docker.inspect import Inspected
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from python_on_whales import DockerClient

ENDED = (EXITED, "dead")


@dataclass(frozen=True)
class Member:
    """A container of a project.

    Attributes:
        name: Container name.
        identity: Id of its stack, empty if it carries none.
        service: Name of its service.
        one_off: Whether it is from `docker compose run`.
        ended: Whether it does not run and will not run again.
        removes_itself: Whether Docker removes it when it ends.
    """

    name: str
    identity: str
    service: str
    one_off: bool = False
    ended: bool = False
    removes_itself: bool = False


def find(
    client: "DockerClient",
    stack: Stack,
    containers: Iterable[Inspected],
    *,
    has_files: bool,
    stopping: bool,
) -> Sequence[Member]:
    """Return the orphans of a stack's project, by name.

    Args:
        client: Docker client.
        stack: Stack to start or stop.
        containers: Containers of its project.
        has_files: Whether there are Compose files; without them, every container is an orphan.
        stopping: Whether commands that still run in one-off containers count.
    """
    members = [_member(container) for container in containers]
    services = {service.name for service in stack.services} if has_files else set()
    found = orphans(members, services, stopping=stopping)
    if found and has_files:
        # Only Compose knows the override file's services, whose containers are no orphans.
        services |= {*client.compose.config(return_json=True)["services"]}
        found = orphans(members, services, stopping=stopping)
    return found


def orphans(
    members: Iterable[Member], services: Collection[str], *, stopping: bool
) -> Sequence[Member]:
    """Return the containers that belong to no service, by name, as Compose decides it."""
    return sorted(
        (
            member
            for member in members
            if (stopping or member.ended if member.one_off else member.service not in services)
        ),
        key=lambda member: member.name,
    )


def remove(client: "DockerClient", members: Iterable[Member]) -> None:
    """Stop and remove containers, but not their anonymous volumes."""
    from python_on_whales.exceptions import NoSuchContainer

    for member in members:
        # It may be gone by now.
        with suppress(NoSuchContainer):
            client.container.stop(member.name)
            if not member.removes_itself:
                client.container.remove(member.name, force=True)


def left_alone(members: Sequence[Member]) -> str:
    """Return a sentence about orphans that do not belong to the stack."""
    names = [member.name for member in members]
    one = len(names) == 1
    subject, verb, past = ("container", "is", "was") if one else ("containers", "are", "were")
    return (
        f"the {subject} {', '.join(names)} {verb} not part of this stack and {past} left alone; "
        f"docker rm --force {' '.join(names)} removes what you no longer need"
    )


def _member(container: Inspected) -> Member:
    return Member(
        name_of(container),
        label(container, STACK_LABEL),
        label(container, SERVICE_LABEL),
        one_off=label(container, ONE_OFF_LABEL) == "True",
        ended=container["State"]["Status"] in ENDED,
        removes_itself=bool(container["HostConfig"]["AutoRemove"]),
    )
