"""Two stacks beside each other: whatever is typed for one, each has exactly what it had before."""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from .docker_stack import DockerStack
from .local_stack import LocalStack
from .running import RunningStack
from .small import SMALLEST, end_processes_in, is_up, kept, kept_in, move
from .waiting import free_ports

UP, DOWN, VERIFY, IMPORT, LOG = "up --no-verify", "down", "verify", "import", "log a run"
DELETE, PRUNE = "down --volumes --yes", "migrate-store --prune --yes"
COMMANDS = (UP, DOWN, DELETE, VERIFY, IMPORT, PRUNE, LOG)
OLD, NEW = "old", "new"

Steps = Sequence[tuple[str, str]]
# Ids of runs, each with the digests of its artifacts.
Holds = dict[str, list[str]]


class Seat:
    """A stack, and what it must hold.

    Attributes:
        stack: It.
        options: That each of its commands has.
        holds: By its model: what was logged and imported, and not deleted.
        place: Whether its data is in a place of its own, so that it can be looked at.
        is_stale: Whether the folder was renamed under the server: SQLite then refuses to write,
            until the server is started anew.
    """

    def __init__(
        self, stack: RunningStack, options: Sequence[str] = (), holds: Holds | None = None
    ) -> None:
        self.stack = stack
        self.options = options
        self.holds = holds or {}
        self.place = True
        self.is_stale = False

    def types(self, command: str, source: Path) -> None:
        """Run one command, and follow in the model what it may have changed."""
        if command == LOG:
            if self.runs() and not self.is_stale:
                run = self.stack.log_run()
                self.holds[run.id] = found(self.stack)[run.id]
            return
        words = [*command.split(), *([str(source)] if command == IMPORT else [])]
        done = self.stack.tool(*self.options, *words, code=None).code == 0
        if done and command in {UP, DOWN, DELETE}:
            self.is_stale = False
        if done and command == DELETE:
            self.holds = {}
        if done and command == IMPORT:
            self.holds |= held(kept_in(source.parent).runs, kept_in(source.parent).files)

    def runs(self) -> bool:
        """Tell whether the tool says that it runs."""
        said = self.stack.tool(*self.options, "status", "--json", code=None)
        return bool(said.code == 0 and said.data["services"])


def held(runs: Sequence[str], files: Mapping[str, str]) -> Holds:
    """Return runs with the digests of their artifacts; what belongs to none is under no id."""
    holds: Holds = {run: [] for run in runs}
    for path, digest in files.items():
        # EXPERIMENT/RUN/artifacts/...
        holds.setdefault(path.split("/")[1], []).append(digest)
    return holds


def found(stack: RunningStack) -> Holds:
    """Return what there really is."""
    seen = kept(stack)
    return held(seen.runs, seen.files)


# --- how two stacks are related


def other_folder(old: Seat, top: Path) -> Seat:
    """Nothing in common."""
    return Seat(type(old.stack)(made(top / "other"), SMALLEST))


def same_name(old: Seat, top: Path) -> Seat:
    """Another folder, the same project name."""
    name = old.stack.settings["COMPOSE_PROJECT_NAME"]
    seat = Seat(type(old.stack)(made(top / "other"), {**SMALLEST, "COMPOSE_PROJECT_NAME": name}))
    # Docker's volumes are known by the name: there is one place for both, and it is the old one's.
    seat.place = isinstance(seat.stack, LocalStack)
    return seat


def same_port(old: Seat, top: Path) -> Seat:
    """Another folder, the same port."""
    port = old.stack.settings["MLFLOW_PORT"]
    return Seat(type(old.stack)(made(top / "other"), {**SMALLEST, "MLFLOW_PORT": port}))


def same_folder(old: Seat, top: Path) -> Seat:
    """Two env files beside each other, with two names and ports."""
    del top
    stack = copy.copy(old.stack)
    stack.env_file = stack.folder / "second.env"
    shutil.copy(old.stack.env_file, stack.env_file)
    stack.name = f"{old.stack.name}-2"
    stack.write(COMPOSE_PROJECT_NAME=stack.name, MLFLOW_PORT=str(free_ports(1)[0]))
    seat = Seat(stack, ("--env-file", "second.env"))
    seat.place = False
    return seat


def moved(old: Seat, top: Path) -> Seat:
    """The old one's folder was renamed, and the new one is in a folder of that name."""
    home = old.stack.folder
    old.is_stale = is_up(old.stack)
    move(old.stack, top / "moved")
    return Seat(type(old.stack)(made(home), SMALLEST))


def moved_while_down(old: Seat, top: Path) -> Seat:
    """The same, of a stack that was stopped before."""
    old.stack.tool("down")
    return moved(old, top)


def copied(old: Seat, top: Path) -> Seat:
    """The folder was copied, with everything that is in it."""
    stack = copy.copy(old.stack)
    stack.folder, stack.env_file = top / "copy", top / "copy" / ".env"
    ignored = shutil.ignore_patterns("*.sock")
    shutil.copytree(old.stack.folder, stack.folder, symlinks=True, ignore=ignored)
    local = isinstance(stack, LocalStack)
    seat = Seat(stack, holds={**old.holds} if local else None)
    # Docker's volumes are not in the folder, and carry the same name.
    seat.place = local
    return seat


def copied_while_down(old: Seat, top: Path) -> Seat:
    """The same, of a stack that was stopped before."""
    old.stack.tool("down")
    return copied(old, top)


Relation = Callable[[Seat, Path], Seat]
RELATIONS: Sequence[Relation] = (
    other_folder,
    same_name,
    same_port,
    same_folder,
    moved,
    moved_while_down,
    copied,
    copied_while_down,
)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


# --- the property


@contextmanager
def related(kind: type[RunningStack], relation: Relation, top: Path) -> Iterator[dict[str, Seat]]:
    """Start a stack that holds a run, and relate another one to it."""
    seats = {OLD: Seat(kind(made(top / "stack"), SMALLEST))}
    try:
        seats[OLD].stack.up()
        seats[OLD].types(LOG, top)
        seats[NEW] = relation(seats[OLD], top)
        yield seats
    finally:
        for seat in seats.values():
            if isinstance(seat.stack, DockerStack):
                seat.stack.purge()
        end_processes_in(top)
        shutil.rmtree(top)


def play(
    kind: type[RunningStack], relation: Relation, steps: Steps, source: Path, top: Path
) -> None:
    """Run commands, and compare after each what each stack has with what it must have."""
    with related(kind, relation, made(top)) as seats:
        for step in steps:
            seats[step[0]].types(step[1], source)
            for name, seat in seats.items():
                if seat.place:
                    assert found(seat.stack) == seat.holds, f"{name} after {step}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the folders of the stacks."""
    return tmp_path_factory.mktemp("pairs")


@given(
    relation=st.sampled_from(RELATIONS),
    steps=st.lists(
        st.tuples(st.sampled_from((OLD, NEW)), st.sampled_from(COMMANDS)), min_size=3, max_size=5
    ),
)
# What lost or mixed up data before.
@example(same_port, [(OLD, LOG), (NEW, VERIFY), (NEW, IMPORT), (NEW, DELETE)])
@example(same_folder, [(NEW, UP), (NEW, PRUNE), (NEW, DELETE), (OLD, VERIFY)])
@example(moved, [(NEW, DELETE), (NEW, UP), (OLD, DOWN), (OLD, DELETE)])
@example(copied, [(NEW, DOWN), (NEW, DELETE), (OLD, LOG)])
@example(copied_while_down, [(NEW, UP), (NEW, LOG), (OLD, PRUNE), (OLD, DELETE)])
@settings(
    max_examples=1,
    derandomize=True,
    database=None,
    deadline=None,
    # A smaller failing sequence costs minutes: what failed is short enough.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_each_stack_must_have_exactly_its_own_data(
    small_source: Path, folder: Path, relation: Relation, steps: Steps
) -> None:
    play(LocalStack, relation, steps, small_source, folder / "top")


@pytest.mark.docker
@pytest.mark.parametrize(
    ("relation", "steps"),
    [
        (same_name, [(NEW, UP), (NEW, DELETE), (OLD, DOWN), (NEW, PRUNE), (NEW, DELETE)]),
        (copied, [(NEW, DOWN), (NEW, DELETE), (OLD, LOG)]),
    ],
    ids=["same name", "copied"],
)
def test_each_stack_on_docker_must_have_exactly_its_own_data(
    small_source: Path, folder: Path, relation: Relation, steps: Steps
) -> None:
    play(DockerStack, relation, steps, small_source, folder / "top")
