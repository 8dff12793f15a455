"""`class collect` and `class seed`: what seats have stored, and what they start with."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from mlflow_compose.actions.class_access import PRIVATE, PRIVATE_FOLDER, accesses
from mlflow_compose.actions.class_limits import check_running
from mlflow_compose.actions.class_setup import SHARED, Work, check_class, start
from mlflow_compose.classroom import Access
from mlflow_compose.classroom.grades import GradedRun, RunFacts, grades
from mlflow_compose.data.backup import (
    Snapshot,
    check,
    check_fits,
    default_name,
    find,
    load_database,
    load_objects,
    schema_of,
    take,
)
from mlflow_compose.data.backup.client import query
from mlflow_compose.data.backup.peek import folder_of
from mlflow_compose.data.inside import list_runs, tables
from mlflow_compose.engines import Engine, RemoteError, SeatEngine, run_modules, shaped
from mlflow_compose.errors import ClassError, FilesError, UsageError
from mlflow_compose.files import write_new
from mlflow_compose.payloads import ClassCollected
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings import public_values
from mlflow_compose.stack.seat_stack import seat_stack

COLLECTED, RUNS = "collected", "runs.csv"
WHOLE = "class"
# A seat has the logins of its own people only: its server creates them when it starts.
FORGET_LOGINS = (
    "DO $$ BEGIN IF to_regclass('users') IS NOT NULL THEN TRUNCATE users CASCADE; END IF; END $$"
)


def collect(work: Work, now: datetime) -> Result:
    """Take a snapshot of each seat, and write one table with all runs.

    Args:
        work: The class.
        now: The current time, with its time zone.

    Raises:
        UsageError: There is no class, or it is not running.
        SnapshotError: The data of a seat cannot be read.
        ClassError: The runs of a seat cannot be read.
        FilesError: A file cannot be written.
    """
    plan, progress = work.plan, work.progress
    check_class(plan)
    engine = work.engine_of(plan)
    engine.check()
    check_running(engine)
    folder = plan.paths.classroom / COLLECTED / default_name(now)
    found = accesses(plan)
    runs: list[GradedRun] = []
    try:
        # `parents` would create these with another mode.
        for above in (folder.parent.parent, folder.parent):
            above.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        folder.mkdir(mode=PRIVATE_FOLDER)
        for name, each in _engines(work, engine):
            with progress.step(f"Collecting {name}"):
                settings = public_values(plan.loaded.settings)
                take(each, folder, name, now, settings, progress)
                runs += _runs(each, name, found)
        write_new(folder / RUNS, grades(runs), PRIVATE)
    except OSError as error:
        raise FilesError(
            f"{error.filename or folder} cannot be written: {error.strerror}"
        ) from None
    lines = [
        f"collected {len(runs)} runs of {len(found)} seats",
        f"Snapshots  {folder}",
        f"Runs       {folder / RUNS}",
    ]
    data = ClassCollected(str(folder), str(folder / RUNS), len(found), len(runs))
    return Result(data, lines)


def seed(work: Work, source: str) -> Result:
    """Replace what all seats have stored by a snapshot.

    Args:
        work: The class.
        source: Name of a snapshot of the stack, or path of its folder.

    Raises:
        UsageError: There is no class, it is not running, or its seats share a server.
        SnapshotError: The snapshot is damaged, does not fit, or cannot be loaded.
    """
    snapshot = seeding_snapshot(work, source)
    engine = work.engine_of(work.plan)
    engine.check()
    check_running(engine)
    fill(work, engine, [seat.name for seat in work.plan.loaded.settings.seats], snapshot)
    started = start(work)
    return Result(started.data, [f"all seats have {snapshot.name}", *started.lines], started.errors)


def seeding_snapshot(work: Work, source: str) -> Snapshot:
    """Return the snapshot that seats are to start with.

    Raises:
        UsageError: There is no class, or its seats share a server.
        SnapshotError: There is no such snapshot.
    """
    check_class(work.plan)
    if work.plan.loaded.settings.class_mode == SHARED:
        raise UsageError(
            "the seats share one server, so a snapshot would replace what all of them have stored",
            hint="mlflow-compose restore puts a snapshot into the server that they share",
        )
    path = folder_of(source)
    return find(path.parent, path.name) if path else find(work.plan.paths.backups, source)


def fill(work: Work, engine: Engine, seats: Sequence[str], snapshot: Snapshot) -> None:
    """Put a snapshot into seats, whose servers are stopped for that.

    Args:
        work: The class.
        engine: Its engine.
        seats: Names of the seats.
        snapshot: What they get.

    Raises:
        SnapshotError: It is damaged, does not fit, or cannot be loaded.
    """
    with work.progress.step(f"Reading {snapshot.name}"):
        check(snapshot, work.progress)
    for seat in seats:
        with work.progress.step(f"Filling {seat}"):
            _fill(seat_engine(work, engine, seat), snapshot, work.progress)


def _fill(engine: Engine, snapshot: Snapshot, progress: Progress) -> None:
    """Put a snapshot into a seat.

    Raises:
        SnapshotError: It does not fit, or cannot be loaded.
    """
    check_fits(snapshot, engine)
    schema = schema_of(engine)
    if any(status.name == "mlflow" for status in engine.status()):
        engine.stop_service("mlflow")
    try:
        load_database(engine, snapshot, schema)
    finally:
        # Even if that was interrupted: the logins of a snapshot would open the seat for others.
        query(engine, FORGET_LOGINS)
    load_objects(engine, snapshot, None, progress)


def seat_engine(work: Work, engine: Engine, name: str) -> SeatEngine:
    """Return the engine of one seat."""
    settings = work.plan.loaded.settings
    seat = next(seat for seat in settings.seats if seat.name == name)
    return SeatEngine(engine, seat.service, seat_stack(work.plan.stack, settings, seat))


def _engines(work: Work, engine: Engine) -> Iterator[tuple[str, Engine]]:
    """Yield the engine of each seat, or of the server that they share, with its name."""
    settings = work.plan.loaded.settings
    if settings.class_mode == SHARED:
        yield WHOLE, engine
        return
    for seat in settings.seats:
        yield seat.name, seat_engine(work, engine, seat.name)


def _runs(engine: Engine, name: str, found: tuple[Access, ...]) -> list[GradedRun]:
    """Return the runs of a seat, or on a shared server those in the experiments of seats."""
    names = {each.seat: each.names for each in found}
    places = {each.place: each.seat for each in found}
    runs: list[GradedRun] = []

    def keep(part: object) -> None:
        facts = shaped(part, RunFacts)
        own = facts.workspace if engine.stack.workspaces else facts.experiment
        if seat := places.get(own, "") if name == WHOLE else name:
            runs.append(GradedRun(seat, names[seat], facts))

    request = {"backend": engine.stack.stores.backend_uri}
    try:
        run_modules(engine, (tables, list_runs), request, type(None), on_item=keep)
    except RemoteError as error:
        raise ClassError(f"the runs of {name} cannot be read: {error}") from None
    return runs
