"""Stop `up` before changed settings hide existing data."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from mlflow_compose.actions.changed import Change, is_copied, places_of
from mlflow_compose.actions.folders import held_folders
from mlflow_compose.actions.migration_plan import refuse
from mlflow_compose.actions.ongoing import mark, ongoing_migration
from mlflow_compose.actions.plan import Plan
from mlflow_compose.checks import Amounts, count, hidden_workspaces
from mlflow_compose.data.migration import changes
from mlflow_compose.engines import Engine, check_ports
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import (
    DataElsewhereError,
    EngineError,
    MlflowComposeError,
    UsageError,
)
from mlflow_compose.record import read_record, write_record
from mlflow_compose.render import write
from mlflow_compose.result import Progress
from mlflow_compose.settings.stores import AWS
from mlflow_compose.stack import migration

RUNS = ("experiments", "runs", "models", "users", "rows")
OBJECTS = ("objects",)
# Seconds until the old servers must be ready, if they are started to count their data.
START_TIMEOUT = 90.0
T = TypeVar("T")


def record_start(plan: Plan, change: Change | None) -> None:
    """Record where the data of a stack will be, before it starts.

    Before, because `down` must find a stack that was only partly started, too.

    Raises:
        FilesError: The record cannot be written.
    """
    record, engine = read_record(plan.paths), plan.stack.site.engine
    if change and change.is_copied:
        record = record.moved(engine, places_of(plan), migration.kept(change.old.stack, plan.stack))
    elif change:
        record = record.leaving_behind(engine, change.old.stack.volumes)
    record = record.with_workspaces(engine, are_on=plan.stack.workspaces)
    if seats := [seat.name for seat in plan.loaded.settings.seats]:
        record = record.with_seats(engine, seats)
    write_record(record.started(engine, places_of(plan), plan.stack.volumes), plan.paths)
    if ongoing_migration(plan.paths) and not is_copied(plan):
        # From now on, the old stores may receive data that the interrupted migration did not copy.
        mark(plan.paths)


def check_elsewhere(
    change: Change, engine_of: Callable[[Plan], Engine], progress: Progress
) -> None:
    """Make sure that a start does not hide data of the stack.

    Raises:
        DataElsewhereError: The stack would no longer find existing data.
    """
    with progress.step("Counting the data in its previous place"):
        amounts = _count(change.old, engine_of, progress)
    hidden = list(_hidden(change, amounts))
    if not hidden:
        return
    names = change.names
    old_values = ", ".join(f"{name} was {old or 'empty'}" for name, (old, _) in names.items())
    back = " ".join(f"{name}={old}" for name, (old, _) in names.items())
    raise DataElsewhereError(
        f"the data of this stack is elsewhere: {'; '.join(hidden)} ({old_values})",
        hint=f"set {back} back in .env{_move_hint(change)}; mlflow-compose up --start-empty leaves "
        "the data there and starts without it",
    )


def leaves_workspaces(plan: Plan) -> bool:
    """Tell whether the stack had workspaces when it was last started, and has none now."""
    had_them = read_record(plan.paths).workspaces.get(plan.stack.site.engine, False)
    return had_them and not plan.stack.workspaces


def check_workspaces(plan: Plan, engine_of: Callable[[Plan], Engine], progress: Progress) -> None:
    """Make sure that a start without workspaces does not hide data in them.

    If that cannot be found out, the start is not refused: MLflow itself does not start without
    workspaces on most of such data, and `verify` reports the rest.

    Raises:
        DataElsewhereError: There is data in workspaces.
    """
    old = plan.with_settings({"mlflow_workspaces": True})
    cause = None
    with progress.step("Looking for data in workspaces"), suppress(MlflowComposeError, OSError):
        cause = _on_servers(old, engine_of, progress, hidden_workspaces)
    if cause:
        raise DataElsewhereError(cause.sentence, hint=cause.hint)


def _hidden(change: Change, amounts: Amounts) -> Iterator[str]:
    stores = change.old.stack.stores
    if change.runs and amounts.holds(*RUNS):
        yield f"runs are in {stores.runs.text} ({amounts.text(*RUNS)})"
    if change.artifacts and amounts.holds(*OBJECTS):
        yield f"artifacts are in {stores.artifacts.text} ({amounts.text(*OBJECTS)})"


def _count(old: Plan, engine_of: Callable[[Plan], Engine], progress: Progress) -> Amounts:
    """Count the data of a stack with its own servers, which are started if necessary."""
    try:
        return _on_servers(old, engine_of, progress, count)
    except MlflowComposeError as error:
        return Amounts(None, error.message)
    except OSError as error:
        return Amounts(None, str(error))


def _on_servers(
    old: Plan,
    engine_of: Callable[[Plan], Engine],
    progress: Progress,
    look: Callable[[Engine], T],
) -> T:
    """Return what a function finds in the data of a stack whose servers run; start them if not."""
    engine = engine_of(old)
    # The old name may be another stack's by now.
    engine.check()
    states = {status.name: status.state for status in engine.status()}
    # The files on disk may already be rendered from the new settings.
    write(old.rendering(), old.folder)
    if all(states.get(name) == RUNNING for name in ("postgres", "s3") if old.stack.has(name)):
        return look(engine)
    if RUNNING in states.values():
        raise EngineError("the stack is running, but some of its servers are not")
    if old.stack.site.namespace:
        raise EngineError("it is not running there")
    return _on_stopped(old, engine_of, progress, look)


def _on_stopped(
    old: Plan,
    engine_of: Callable[[Plan], Engine],
    progress: Progress,
    look: Callable[[Engine], T],
) -> T:
    waiting = replace(old, stack=migration.intermediate(old.stack, old.stack, port=0))
    engine = engine_of(waiting)
    engine.check_data(start_empty=True, held=held_folders(old))
    try:
        write(waiting.rendering(), waiting.folder)
        check_ports(engine)
        engine.prepare(progress)
        engine.start(progress, wait_timeout=START_TIMEOUT)
        return look(engine)
    finally:
        engine.stop(progress, volumes=False)
        write(old.rendering(), old.folder)


def _move_hint(change: Change) -> str:
    """Return how to move the data instead, empty if that is not possible."""
    # In a cluster, there is no migration from one place to another.
    if change.renamed or change.new.stack.site.namespace:
        return ""
    try:
        refuse(change.old, change.new)
    except UsageError:
        return ""
    to = list(_targets(change))
    known = {name for kind in to for name in changes(kind, change.old.loaded.settings)}
    more = [name for name in change.names if name not in known]
    named = f" --settings FILE, with {' and '.join(more)} in FILE," if more else ""
    words = " ".join(f"--to {kind}" for kind in to)
    return f"; then mlflow-compose migrate-store {words}{named} moves it"


def _targets(change: Change) -> Sequence[str]:
    """Return the arguments of `migrate-store --to` for the new stores."""
    settings, found = change.new.loaded.settings, []
    if change.runs:
        port = "" if settings.bundles_postgres else f":{settings.pg_port}"
        found.append(f"postgres={settings.pg_host}{port}")
    if change.artifacts and settings.bundles_s3:
        found.append(f"provider={settings.s3_provider}")
    elif change.artifacts:
        aws = settings.minio_host == AWS
        found.append(f"s3={AWS if aws else change.new.stack.site.s3}")
    return found
