"""`up`, `status`, `logs` and `verify`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlflow_compose.actions import screen
from mlflow_compose.actions.certificates import check_expiry, keep_certificate
from mlflow_compose.actions.changed import Change, changed, check_runs
from mlflow_compose.actions.class_limits import check_no_seat_is_lost, check_seats_stay
from mlflow_compose.actions.files import write_files
from mlflow_compose.actions.folders import held_folders, record_folders
from mlflow_compose.actions.hidden_data import (
    check_elsewhere,
    check_workspaces,
    leaves_workspaces,
    record_start,
)
from mlflow_compose.actions.notebooks import provide_notebooks
from mlflow_compose.actions.notes import notes
from mlflow_compose.actions.ongoing import OngoingMigration, unmark
from mlflow_compose.actions.plan import Plan, check_key
from mlflow_compose.actions.versions import check_mlflow, check_postgres, record_versions
from mlflow_compose.checks import diagnose, external_database, verify
from mlflow_compose.engines import Engine, ServiceStatus, check_ports
from mlflow_compose.errors import ServiceError, StoreError, UsageError
from mlflow_compose.identity import keep_identity
from mlflow_compose.payloads import ABSENT, ServiceState, Started, Status, Stores, Verified
from mlflow_compose.record import read_record
from mlflow_compose.result import Progress, Result

# Links that MLflow needs to start; if it did not, the other links are broken as a consequence.
NEEDED = ("database", "bucket")


def up(  # noqa: PLR0913 - independent options
    plan: Plan,
    engine: Engine,
    progress: Progress,
    *,
    wait_timeout: float,
    prove: bool,
    engine_of: Callable[[Plan], Engine] | None = None,
) -> Result:
    """Start the stack and verify it.

    Args:
        plan: The stack.
        engine: Engine of the stack.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.
        prove: Whether to log a run and an artifact at the end.
        engine_of: Returns the engine of a plan, used to look for data in previous stores; None to
            start without that data.

    Raises:
        DataElsewhereError: The settings would hide data that the stack has.
        FilesChangedError: A rendered file was edited by hand.
        EngineError: The engine cannot be used, or not with the existing data.
        UpgradeError: The data is of an older version than the servers.
        StoreError: An external database cannot be used.
        SettingsError: STACK_BIND_ADDRESS is not of this machine, or the certificate has expired.
        PortTakenError: Another process listens on a published port.
        ServiceFailedError: A service ended.
        NotReadyError: A service did not become healthy in time.
    """
    for note in notes(plan):
        progress.note(note)
    engine.check()
    change = _check_data(plan, engine, progress, engine_of)
    _write_files(plan)
    taken = check_ports(engine)
    engine.prepare(progress)
    _check_stores(plan, engine, change)
    record_start(plan, change)
    failures = [*taken.values(), *_start(plan, engine, progress, wait_timeout, taken)]
    unmark(plan.paths)
    proof = verify(engine, progress) if prove else Result()
    return _started(engine, replace(proof, errors=[*proof.errors, *failures]))


def _started(engine: Engine, proof: Result) -> Result:
    """Return the result of `up`: where everything is, or why the proof failed."""
    steps = proof.data.steps if isinstance(proof.data, Verified) else ABSENT
    data = Started(**_stack_data(engine, engine.status()), steps=steps)
    if not proof.ok:
        return Result(data, proof.lines, proof.errors)
    access = engine.access()
    lines = [*screen.where(engine.stack, access), screen.NEXT]
    return Result(data, lines, on_terminal=screen.first_run(engine.stack, access))


def _check_data(
    plan: Plan,
    engine: Engine,
    progress: Progress,
    engine_of: Callable[[Plan], Engine] | None,
) -> Change | None:
    """Make sure that the stack can use the existing data and hides none of it.

    Returns what changed since the last start, None if the data is in the same place.
    """
    check_key(plan)
    record = read_record(plan.paths)
    check_no_seat_is_lost(plan, record)
    check_runs(plan, record)
    change = changed(plan, record)
    if change is None:
        check_mlflow(plan)
    else:
        # They are not counted below, and would start without their data.
        check_seats_stay(plan, [*change.names])
    # Before servers are started to count data: they claim it with the id.
    keep_identity(plan.identity, plan.paths)
    if engine_of and change and not change.is_copied:
        check_elsewhere(change, engine_of, progress)
        # Counting may have started and removed containers of this stack.
        engine.check()
    elif engine_of and leaves_workspaces(plan):
        check_workspaces(plan, engine_of, progress)
        engine.check()
    held = held_folders(plan) if engine_of else ()
    engine.check_data(start_empty=change is not None or engine_of is None, held=held)
    return change


def _write_files(plan: Plan) -> None:
    check_expiry(plan.stack.certificate)
    keep_certificate(plan.stack.certificate, plan.paths)
    write_files(plan)
    provide_notebooks(plan)


def status(
    engine: Engine, migration: OngoingMigration | None = None, interrupted: str = ""
) -> Result:
    """Return the status of the services, and of a migration, if any.

    Args:
        engine: Engine of the stack.
        migration: Migration that is in progress or was interrupted.
        interrupted: Sentence about such a restore or upgrade, empty if there is none.
    """
    engine.check()
    found = engine.status()
    if migration:
        found = migration.adjusted(found)
    data = Status(**_stack_data(engine, found), migration=migration.data if migration else None)
    notice = [migration.text] if migration and (found or migration.by) else []
    notice += [interrupted] if interrupted else []
    if not found:
        return Result(data, notice or [screen.NOTHING_RUNS])
    services = screen.status_lines(found, engine.stack)
    return Result(data, [*services, "", *notice, *screen.where(engine.stack, engine.access())])


def watch(engine: Engine, pause: Callable[[], None]) -> Iterator[Sequence[str]]:
    """Yield the services' states, one look after the other, until the caller stops.

    Args:
        engine: Engine of the stack.
        pause: Waits until the next look.
    """
    engine.check()
    while True:
        found = engine.status()
        yield screen.status_lines(found, engine.stack) if found else [screen.NOTHING_RUNS]
        pause()


def prove(engine: Engine, progress: Progress) -> Result:
    """Verify the running stack."""
    engine.check()
    for line in screen.missing_replicas(engine.stack, engine.status()):
        progress.note(line)
    return verify(engine, progress)


def logs(
    engine: Engine, services: Sequence[str], *, follow: bool, tail: int | None
) -> Iterator[str]:
    """Yield log lines of the named services, of all if none is named.

    Raises:
        UsageError: There is no such service.
    """
    names = [service.name for service in engine.stack.services]
    for service in services:
        if service not in names:
            raise UsageError(
                f"no such service: {service}",
                hint=f"the services of this stack are {', '.join(names)}",
            )
    engine.check()
    return engine.logs(services, follow=follow, tail=tail)


def _check_stores(plan: Plan, engine: Engine, change: Change | None) -> None:
    if change is None:
        check_postgres(plan, engine)
    if cause := external_database(engine):
        raise StoreError(cause.sentence, hint=cause.hint)


def _start(
    plan: Plan,
    engine: Engine,
    progress: Progress,
    wait_timeout: float,
    without: Collection[str],
) -> Sequence[ServiceError]:
    """Start the stack; if the tracking server fails, report the cause."""
    try:
        failures = engine.start(progress, wait_timeout=wait_timeout, without=without)
        record_versions(plan)
    except ServiceError as error:
        # Other services log their own errors; MLflow only a traceback of its database driver.
        cause = diagnose(engine, links=NEEDED) if error.service == "mlflow" else None
        if cause is None:
            raise
        message = f"{cause.sentence}; {error.message}"
        raise type(error)(message, service=error.service, hint=cause.hint) from None
    finally:
        # Even after a failure: services that did start may have created data.
        record_folders(plan, engine)
    return failures


def _stack_data(engine: Engine, found: Sequence[ServiceStatus]) -> dict[str, Any]:
    """Return the payload fields that `up` and `status` have in common."""
    return {
        "project": engine.stack.name,
        "engine": engine.name,
        "services": [
            ServiceState(
                service.name,
                service.state,
                service.health,
                service.ports,
                service.since.isoformat(timespec="seconds") if service.since else None,
                service.restarts,
                service.number if service.has_several else None,
            )
            for service in found
        ],
        "urls": engine.access().urls,
        "stores": Stores(engine.stack.stores.runs.data, engine.stack.stores.artifacts.data),
    }
