"""A changed setting must not hide data: `up` refuses and reports where it is and how to move it."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from .running import Run, RunningStack, left_to_soak, local_only
from .small import is_up, kept, rendered
from .tool import Output

EMPTY = "--start-empty"
SameState = tuple[dict[str, str], dict[str, str], dict[str, bytes], set[str]]


class Change(NamedTuple):
    """A changed setting after which the stack would no longer find its data.

    Attributes:
        values: Changed settings.
        kind: Kind of data that would be hidden: runs or objects.
        place: Word in the output that names the current store.
        moves: Command that moves the data; empty if there is no such command.
    """

    values: Mapping[str, str]
    kind: str
    place: str
    moves: str = ""


RUNS, OBJECTS = "run", "object"
CHANGES: Mapping[str, Change] = {
    "bucket": Change({"MLFLOW_BUCKET_NAME": "another"}, OBJECTS, "s3://mlflow"),
    "backend": Change({"BACKEND_STORE": "sqlite"}, RUNS, "PostgreSQL"),
    "artifacts": Change({"ARTIFACT_STORE": "local"}, OBJECTS, "s3://mlflow"),
    "database": Change({"PG_DATABASE": "another"}, RUNS, "PostgreSQL"),
    "host": Change({"PG_HOST": "db.invalid"}, RUNS, "PostgreSQL"),
    "server": Change(
        {"MINIO_HOST": "objects.invalid"}, OBJECTS, "s3://mlflow", "migrate-store --to s3="
    ),
    "folder": Change({"MINIO_VOLUME_PATH": "./objects"}, OBJECTS, "minio_data"),
}
SMALL_CHANGES: Mapping[str, Change] = {
    "backend": Change(
        {"BACKEND_STORE": "postgres"}, RUNS, "SQLite", "migrate-store --to postgres=postgres"
    ),
    "artifacts": Change(
        {"ARTIFACT_STORE": "s3"}, OBJECTS, "folder", "migrate-store --to provider="
    ),
}


@dataclass(frozen=True)
class Filled:
    """A stack that holds at least one run with an artifact.

    Attributes:
        stack: Running stack.
        run: Run that was logged last.
        amounts: Number of runs and of objects.
    """

    stack: RunningStack
    run: Run
    amounts: Mapping[str, int]

    def state(self) -> SameState:
        """Everything that a refused `up` must leave unchanged."""
        stack = self.stack
        return stack.ids(), stack.starts(), rendered(stack), stack.volumes()


def expect_refusals(filled: Filled, *changes: Change) -> None:
    """Assert that `up` refuses, changes nothing, and reports which data is where."""
    before = filled.state()
    for change in changes:
        with filled.stack.changed(**change.values):
            output = filled.stack.up(code=1)
        expect_figure(output, filled.amounts[change.kind], change.kind)
        output.shows(change.place, EMPTY, *((change.moves,) if change.moves else ()))
    assert filled.state() == before


def expect_figure(output: Output, number: int, kind: str) -> None:
    """Assert that the output contains a number, and not as the end of a larger one."""
    count = f"{number} {kind}{'' if number == 1 else 's'}"
    assert re.search(rf"(?<!\d){re.escape(count)}\b", output.text), output


def filled(stack: RunningStack) -> Filled:
    """Log a run to a running stack with its own PostgreSQL and S3 server, and count its data."""
    run = stack.log_run()
    amounts = {RUNS: len(stack.stored_runs()), OBJECTS: len(stack.objects())}
    return Filled(stack, run, amounts)


@pytest.fixture
def small(smallest: RunningStack) -> Filled:
    """Return the session's stack of one service with its current contents."""
    run, found = smallest.log_run(), kept(smallest)
    return Filled(smallest, run, {RUNS: len(found.runs), OBJECTS: len(found.files)})


# Both engines share the code that maps settings to stores (tests/unit/test_places.py): on Docker,
# one setting of each store stands for the others.
ON_DOCKER = ("bucket", "database")
ALIKE = local_only("both engines share the code that decides; other tests run it on Docker")


def test_a_running_stack_must_keep_running_unchanged(shared: RunningStack) -> None:
    full = filled(shared)
    names = ON_DOCKER if shared.engine == "docker" else CHANGES
    expect_refusals(full, *(CHANGES[name] for name in names))
    shared.expect(full.run)


@local_only("test_providers.py stops a stack on Docker and proves the same")
def test_a_stopped_stack_must_not_start_on_other_stores(shared: RunningStack) -> None:
    """With the setting changed back, it shows its run again."""
    full = filled(shared)
    shared.tool("down")
    try:
        expect_refusals(full, CHANGES["bucket"])
        assert not is_up(shared)
    finally:
        shared.up()
    shared.expect(full.run)


@ALIKE
def test_the_command_that_moves_the_data_of_a_small_stack_must_be_named(small: Filled) -> None:
    expect_refusals(small, *SMALL_CHANGES.values())
    assert small.stack.api.artifact("GET", small.run.key).content == small.run.artifact


@pytest.fixture
def without_database(smallest: RunningStack) -> Iterator[None]:
    """Delete the database that a test added, so that others see the volumes that they expect."""
    yield
    data = smallest.folder / "local" / "data" / "postgres_data"
    if data.is_symlink():
        # Root's database is outside of the stack's folder.
        shutil.rmtree(data.resolve().parent)
        data.unlink()
    else:
        shutil.rmtree(data)


@left_to_soak("a full stack is asked the same")
@ALIKE
@pytest.mark.usefixtures("without_database")
def test_a_stopped_small_stack_must_start_empty_only_with_the_option(small: Filled) -> None:
    """The old data stays where it was and reappears when the setting is changed back."""
    stack, before = small.stack, kept(small.stack).runs
    stack.tool("down")
    expect_refusals(small, SMALL_CHANGES["backend"])
    assert not is_up(stack)
    with stack.changed(BACKEND_STORE="postgres"):
        stack.up(EMPTY)
        assert stack.stored_runs() == []
        # The old data is not a leftover: no migration has a copy of it.
        stack.tool("migrate-store", "--prune", "--yes")
    # Nothing was stored in the new place meanwhile, so nothing would be hidden.
    stack.up()
    assert kept(stack).runs == before
    assert stack.api.get("runs/get", run_id=small.run.id)
