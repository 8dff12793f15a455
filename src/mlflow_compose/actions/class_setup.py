"""`class create`, `class up` and `class add`: from a roster to seats that run."""

import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_compose.actions.capacity import capacity_warning
from mlflow_compose.actions.class_access import accesses, read_class, write_class
from mlflow_compose.actions.class_roster import members_from
from mlflow_compose.actions.class_shared import check_logins, enroll
from mlflow_compose.actions.lifecycle import up
from mlflow_compose.actions.new_settings import with_values
from mlflow_compose.actions.plan import Plan
from mlflow_compose.classroom import Members
from mlflow_compose.engines import Engine, is_taken
from mlflow_compose.errors import ClassError, PortTakenError, ServiceError, UsageError
from mlflow_compose.payloads import ClassSeat, ClassStarted
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings.class_rules import LEAST_SECRET
from mlflow_compose.settings.rules import has_workspaces, is_loopback
from mlflow_compose.settings.seats import Seat, port_range, written

SEATS, SHARED = "seats", "shared"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - written to the env file if the user asks for it
ALPHABET = string.ascii_letters + string.digits
# What a new class folder gets: many small servers, or one for all that uses several processors.
NEW_STACK: Mapping[str, Mapping[str, str]] = {SEATS: {"STACK_PROFILE": "small"}, SHARED: {}}
# Characters of CLASS_SECRET.
SECRET_LENGTH = 32

EngineOf = Callable[[Plan], Engine]


@dataclass(frozen=True)
class Work:
    """A class, and how its seats are started.

    Attributes:
        plan: The stack.
        engine_of: Returns the engine of a plan.
        progress: Receiver of progress.
        wait_timeout: Seconds until the stack, and then each next seat, must be up.
    """

    plan: Plan
    engine_of: EngineOf
    progress: Progress
    wait_timeout: float


def create(work: Work, members: Members, mode: str, *, lan: bool) -> Result:
    """Make a class of a stack, and start it.

    Args:
        work: The stack, which may be new.
        members: Who works at which seat.
        mode: seats or shared.
        lan: Whether other machines may connect.

    Raises:
        UsageError: The stack has a class already.
        ClassError: There are not enough free ports, or a seat has the login of MLflow's admin.
    """
    settings = work.plan.loaded.settings
    if settings.class_mode != "none":
        raise UsageError(
            "the stack has a class already",
            hint="mlflow-compose class up starts it, also if class create was interrupted; "
            "class add adds people; class down --volumes ends it",
        )
    secret = settings.class_secret.get_secret_value()
    values = {
        "CLASS_MODE": mode,
        "MLFLOW_AUTH": "basic",
        "CLASS_SEATS": written(_seats(work.plan, members)) if mode == SEATS else "",
        **({"MLFLOW_WORKSPACES": "true"} if mode == SHARED and has_workspaces(settings) else {}),
        **generated("CLASS_SECRET", secret, LEAST_SECRET, SECRET_LENGTH),
        **generated("CLASS_PASSWORD", settings.class_password.get_secret_value(), 1, 20),
    }
    if lan and is_loopback(settings.stack_bind_address):
        values["STACK_BIND_ADDRESS"] = EVERY_ADDRESS
    if mode == SEATS:
        _warn(work, len(members), running=0)
    else:
        check_logins(work.plan, [*members])
    change, new = with_values(work.plan, values, "class create")
    write_class(new, members)
    change.apply()
    return start(replace(work, plan=new))


def add(work: Work, roster: Path | None, count: int | None) -> Result:
    """Add people to a class, and start their seats.

    Args:
        work: The class.
        roster: CSV file with the names.
        count: Number of seats without names, instead of a roster.

    Raises:
        UsageError: There is no class, or everyone has a seat already.
        RosterError: The file is not a roster, or it is too long.
        ClassError: There are not enough free ports.
    """
    plan = work.plan
    check_class(plan)
    there = {each.seat: each.people for each in accesses(plan)}
    members = members_from(roster, count, there, work.progress)
    new = {seat: people for seat, people in members.items() if seat not in there}
    settings, values = plan.loaded.settings, dict[str, str]()
    if settings.class_mode == SEATS:
        _warn(work, len(new), running=len(settings.seats))
        values["CLASS_SEATS"] = written([*settings.seats, *_seats(plan, new)])
    else:
        check_logins(plan, [*new])
    change, plan = with_values(plan, values, "class add")
    joined = {seat: (*there.get(seat, ()), *people) for seat, people in members.items()}
    # First: seats without people would be added a second time if it cannot be written.
    write_class(plan, {**there, **joined})
    change.apply()
    return start(replace(work, plan=plan))


def start(work: Work) -> Result:
    """Start a class, or mend what is broken in it; name the seats that do not start.

    Raises:
        UsageError: There is no class.
        ServiceError: A server that all seats need does not start.
    """
    plan = work.plan
    check_class(plan)
    engine = work.engine_of(plan)
    started = up(
        plan,
        engine,
        work.progress,
        wait_timeout=work.wait_timeout,
        prove=False,
        engine_of=work.engine_of,
    )
    if plan.loaded.settings.class_mode == SHARED:
        enroll(plan, engine, work.progress, [*read_class(plan)])
    broken = {
        each.service for each in started.errors if isinstance(each, ServiceError | PortTakenError)
    }
    found = [
        ClassSeat(
            each.seat,
            [person.name for person in each.people],
            each.url,
            f"seat-{each.seat}" not in broken,
        )
        for each in accesses(plan)
    ]
    ready = sum(seat.ready for seat in found)
    mode = plan.loaded.settings.class_mode
    lines = [f"{ready} of {len(found)} seats are ready", *_next(plan)]
    return Result(ClassStarted(mode, found), lines, started.errors)


def _warn(work: Work, seats: int, *, running: int) -> None:
    """Say that seats do not fit on this machine: they may be used one after the other."""
    if found := capacity_warning(work.plan.paths.root, seats, running):
        work.progress.note(found)


def check_class(plan: Plan) -> None:
    """Make sure that there is a class.

    Raises:
        UsageError: There is none.
    """
    if plan.loaded.settings.class_mode == "none":
        raise UsageError("the stack has no class", hint="mlflow-compose class create people.csv")


def _next(plan: Plan) -> Iterator[str]:
    if is_loopback(plan.loaded.settings.stack_bind_address):
        yield (
            "Only this machine can reach them: set STACK_BIND_ADDRESS=0.0.0.0 in .env, then "
            "mlflow-compose class up"
        )
    yield "Next       mlflow-compose class handout   writes a page for each seat"


def _seats(plan: Plan, members: Members) -> list[Seat]:
    """Return new seats, each with a free port.

    Raises:
        ClassError: There are not enough.
    """
    settings = plan.loaded.settings
    used = {port.published for _, port in plan.stack.ports}
    used |= {settings.class_port, *(seat.port for seat in settings.seats)}
    if settings.class_tls_port:
        # Also before there is a class.
        used.add(int(settings.class_tls_port))
    ports = (
        port
        for port in port_range(settings.class_seat_ports)
        if port not in used and not is_taken(settings.stack_bind_address, port)
    )
    found = [Seat(name, port) for name, port in zip(members, ports, strict=False)]
    if len(found) < len(members):
        raise ClassError(
            f"{len(members)} seats need a port each, but only {len(found)} of CLASS_SEAT_PORTS "
            f"are free, got {settings.class_seat_ports}",
            hint="set CLASS_SEAT_PORTS in .env to a wider range, such as 5201-5600",
        )
    return found


def generated(name: str, value: str, least: int, length: int) -> Mapping[str, str]:
    """Return a random value for a secret that an env file lacks, nothing for one that it has."""
    if len(value) >= least:
        return {}
    return {name: "".join(secrets.choice(ALPHABET) for _ in range(length))}
