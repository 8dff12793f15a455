"""`migrate-store`: the same stack on other stores, with everything that was in the old ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mlflow_compose.actions.changed import changed, places_of
from mlflow_compose.actions.move import Move
from mlflow_compose.actions.moving import mark, unmark
from mlflow_compose.actions.places import check_elsewhere
from mlflow_compose.actions.plan import Plan
from mlflow_compose.checks import external_database, verify
from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.data import Copied, copy_folder, copy_objects, copy_runs
from mlflow_compose.engines import Engine, check_ports
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import MlflowComposeError, StoreError, UsageError
from mlflow_compose.record import read_record, write_record
from mlflow_compose.render import write
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack import between

# Pressed again, Ctrl-C also ends the commands that bring a stack back.
TRIES = 3
PRUNE = "mlflow-compose migrate-store --prune deletes"


def migrate_store(
    move: Move,
    engine_of: Callable[[Plan], Engine],
    progress: Progress,
    *,
    wait_timeout: float,
) -> Result:
    """Copy what is in the stores of a running stack to others, compare, and use those.

    Whatever goes wrong, the stack is brought back as it was; the copy is left where it is.

    Args:
        move: What the stack is, and what it becomes.
        engine_of: Returns what runs a plan.
        progress: Where to say what happens.
        wait_timeout: Seconds until every service must be healthy.

    Raises:
        UsageError: The stack is not running.
        StoreError: A new store cannot be used, or is not the same afterwards.
    """
    engine = engine_of(move.old)
    _check(move, engine, engine_of, progress)
    _reach(move)
    _begin(move, engine)
    try:
        data = _copy(move, engine_of(move.middle), progress, wait_timeout)
        mark(move.old.paths, places_of(move.new))
        if move.env.make():
            progress.note(f"{move.env.path.name} was edited meanwhile: mlflow-compose up uses it")
        _start(move.new, engine_of(move.new), progress, wait_timeout)
        kept = _remember(move)
        unmark(move.old.paths)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        try:
            said = _bring_back(move, engine, progress, wait_timeout, interrupted=interrupted)
        except KeyboardInterrupt:
            # The first signal; those that follow are ignored.
            said = _bring_back(move, engine, progress, wait_timeout, interrupted=True)
        progress.note(said)
        raise
    return Result({**data, "kept": list(kept)}, [*_told(data), *_kept(kept)])


def _check(
    move: Move, engine: Engine, engine_of: Callable[[Plan], Engine], progress: Progress
) -> None:
    """Make sure that the stack runs, and shows all of its data."""
    engine.check()
    if change := changed(move.old, read_record(move.old.paths)):
        # What is not shown would not be moved, and its volume would seem left over.
        check_elsewhere(change, engine_of, progress)
    engine.check_data()
    if not any(status.state == RUNNING for status in engine.status()):
        raise UsageError("the stack is not running", hint="mlflow-compose up starts it")


def _bring_back(
    move: Move, engine: Engine, progress: Progress, wait_timeout: float, *, interrupted: bool
) -> str:
    """Make the stack what it was; return what the user must know."""
    said = "the stack is as it was"
    try:
        move.env.undo()
    except MlflowComposeError as error:
        said = f"{error.message}, so it may name the new stores; apart from that, {said}"
    why = ""
    for _ in range(TRIES if interrupted else 1):
        try:
            if interrupted:
                # Docker still does what a command that is gone asked for, such as stopping mlflow.
                engine.stop(progress, volumes=False)
            _start(move.old, engine, progress, wait_timeout, prove=False)
            # Also if it was the very end that was broken off.
            _remember_old(move)
        except MlflowComposeError as error:
            why = error.message
        else:
            unmark(move.old.paths)
            return said
    return f"the stack could not be brought back: {why}; mlflow-compose up tries it again"


def _begin(move: Move, engine: Engine) -> None:
    """Note that data moves, and into which new volumes: after a failure, they are left over."""
    there = {*engine.unused_volumes(), *move.old.stack.volumes}
    made = {*move.new.stack.volumes} - there
    paths, site = move.old.paths, move.old.stack.site
    write_record(read_record(paths).moved(site.engine, places_of(move.old), made), paths)
    mark(paths)


def _remember(move: Move) -> Sequence[str]:
    """Note where the data is now; return the volumes in which it is left."""
    kept = between.kept(move.old.stack, move.new.stack)
    record, site, volumes = read_record(move.new.paths), move.new.stack.site, move.new.stack.volumes
    moved = record.moved(site.engine, places_of(move.new), kept)
    write_record(moved.started(site.engine, places_of(move.new), volumes), move.new.paths)
    return [name for name in kept if name not in record.behind(site.engine)]


def _remember_old(move: Move) -> None:
    record, stack = read_record(move.old.paths), move.old.stack
    back = record.started(stack.site.engine, places_of(move.old), stack.volumes)
    write_record(back, move.old.paths)


def _copy(move: Move, engine: Engine, progress: Progress, wait_timeout: float) -> Mapping[str, Any]:
    """Run the servers of both stacks, and copy from one to the other."""
    write(move.middle.rendering(), move.middle.folder)
    check_ports(engine)
    engine.prepare(progress)
    engine.start(progress, wait_timeout=wait_timeout)
    copied: dict[str, Any] = {}
    if move.moves_objects:
        with progress.step("Copying objects"):
            copied["objects"] = vars(_copy_objects(move, engine, progress))
    if move.moves_runs:
        if cause := external_database(engine):
            raise StoreError(cause.sentence, hint=cause.hint)
        with progress.step("Copying runs"):
            copied["rows"] = copy_runs(engine, move.old.stack, progress)
    return copied


def _reach(move: Move) -> None:
    """Make sure that a bucket of the user's own can be used, before anything is stopped."""
    new = move.new.stack
    if not move.moves_objects or new.has("s3"):
        return
    target = Objects.of(new)
    with _in_words():
        if move.new.loaded.settings.mlflow_bucket_create:
            target.make_bucket()
        target.check()


def _copy_objects(move: Move, engine: Engine, progress: Progress) -> Copied:
    old, new = move.old.stack, move.new.stack
    if not old.stores.has_s3:
        return copy_folder(engine, old, progress)
    target = Objects.of(new, between.objects_url(old, new, move.port))
    with _in_words():
        return copy_objects(Objects.of(old), target, progress)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (ObjectsError, OSError) as error:
        raise StoreError(
            f"the objects cannot be copied: {error}",
            hint="mend that and run the same command again; it goes on where it ended",
        ) from None


def _start(
    plan: Plan, engine: Engine, progress: Progress, wait_timeout: float, *, prove: bool = True
) -> None:
    write(plan.rendering(), plan.folder)
    engine.start(progress, wait_timeout=wait_timeout)
    if prove and (errors := verify(engine, progress).errors):
        raise errors[0]


def _told(data: Mapping[str, Any]) -> list[str]:
    said = []
    if found := data.get("objects"):
        said.append(
            f"{found['count']} objects, {found['bytes']} bytes: the same in both places "
            f"({found['sent']} were sent)"
        )
    if rows := data.get("rows"):
        said.append(
            f"{rows['runs']} runs, {sum(rows.values())} rows in all: the same in both databases"
        )
    return said


def _kept(volumes: Sequence[str]) -> list[str]:
    names = ", ".join(volumes)
    return [f"the old data is kept in {names}; {PRUNE} it"] if volumes else []
