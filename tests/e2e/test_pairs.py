"""Two stacks beside each other: whatever is typed for one, each has exactly what it had before."""

import copy
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from .local_stack import LocalStack
from .mlruns import Mlruns
from .running import RunningStack, docker_only
from .small import SMALLEST, end_processes_in, is_up, kept, move
from .waiting import free_ports

UP, DOWN, VERIFY, IMPORT, LOG = "up --no-verify", "down", "verify", "import", "log a run"
DELETE, PRUNE = "down --volumes --yes", "migrate-store --prune --yes"
OLD = "old"

# For whom, and what is typed; who is not there yet is made in that relation to the old one.
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

    def types(self, command: str, source: Mlruns) -> None:
        """Run one command, and follow in the model what it may have changed."""
        if command == LOG:
            if self.runs() and not self.is_stale:
                run = self.stack.log_run()
                self.holds[run.id] = found(self.stack)[run.id]
            return
        words = [*command.split(), *([str(source.path)] if command == IMPORT else [])]
        done = self.stack.tool(*self.options, *words, code=None).code == 0
        if done and command in {UP, DOWN, DELETE}:
            self.is_stale = False
        if done and command == DELETE:
            self.holds = {}
        if done and command == IMPORT:
            self.holds[source.run_id] = [hashlib.sha256(source.content).hexdigest()]

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
    return Seat(type(old.stack)(made(top / "elsewhere"), SMALLEST))


def same_name(old: Seat, top: Path) -> Seat:
    """Another folder, the same project name."""
    name = old.stack.settings["COMPOSE_PROJECT_NAME"]
    seat = Seat(type(old.stack)(made(top / "namesake"), {**SMALLEST, "COMPOSE_PROJECT_NAME": name}))
    # Docker's volumes are known by the name: there is one place for both, and it is the old one's.
    seat.place = isinstance(seat.stack, LocalStack)
    return seat


def same_port(old: Seat, top: Path) -> Seat:
    """Another folder, the same port."""
    port = old.stack.settings["MLFLOW_PORT"]
    return Seat(type(old.stack)(made(top / "intruder"), {**SMALLEST, "MLFLOW_PORT": port}))


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
    del top
    home = old.stack.folder
    old.is_stale = is_up(old.stack)
    move(old.stack, home.with_name(f"{home.name} moved"))
    return Seat(type(old.stack)(made(home), SMALLEST))


def moved_while_down(old: Seat, top: Path) -> Seat:
    """The same, of a stack that was stopped before."""
    old.stack.tool("down")
    return moved(old, top)


def copied(old: Seat, top: Path) -> Seat:
    """The folder was copied, with everything that is in it."""
    stack = copy.copy(old.stack)
    stack.folder = top / ("copy" if is_up(old.stack) else "copy while down")
    stack.env_file = stack.folder / ".env"
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
RELATIONS: Mapping[str, Relation] = {
    "other folder": other_folder,
    "same name": same_name,
    "same port": same_port,
    "same folder": same_folder,
    "moved": moved,
    "moved while down": moved_while_down,
    "copied": copied,
    "copied while down": copied_while_down,
}


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


# --- the property


def play(old: Seat, steps: Steps, source: Mlruns, top: Path) -> None:
    """Run commands, and compare after each what each stack has with what it must have."""
    seats = {OLD: old}
    for step in steps:
        name, command = step
        if name not in seats:
            seats[name] = RELATIONS[name](old, top)
        seats[name].types(command, source)
        for other, seat in seats.items():
            if seat.place:
                assert found(seat.stack) == seat.holds, f"{other} after {step}"


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for the folders of stacks; what was started there is ended."""
    yield made(tmp_path / "top")
    end_processes_in(tmp_path)
    shutil.rmtree(tmp_path)


# What lost or mixed up data before, and more; each with as few starts as there can be.
JOURNEYS: Mapping[str, Steps] = {
    "beside one that runs": [
        *((OLD, UP), (OLD, LOG), (OLD, UP)),
        *(("other folder", DELETE), ("same name", PRUNE), ("same name", DELETE)),
        *(("same port", VERIFY), ("same port", IMPORT), ("same port", DELETE)),
        *(("same folder", UP), ("same folder", PRUNE), ("same folder", DELETE), (OLD, VERIFY)),
        *(("copied", DOWN), ("copied", DELETE), (OLD, LOG)),
        *(("copied while down", UP), ("copied while down", LOG), ("copied while down", IMPORT)),
        *((OLD, PRUNE), (OLD, DELETE)),
    ],
    "in the place of one that was moved": [
        *((OLD, UP), (OLD, LOG), ("moved", DELETE), ("moved", UP), (OLD, DOWN)),
        *(("moved while down", PRUNE), ("moved while down", DELETE), (OLD, DELETE)),
    ],
}


@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS.keys())
def test_each_stack_must_have_exactly_its_own_data(
    steps: Steps, small_source: Mlruns, top: Path
) -> None:
    play(Seat(LocalStack(made(top / "stack"), SMALLEST)), steps, small_source, top)


@docker_only("the other engine has journeys of its own")
def test_a_stack_on_docker_must_keep_what_a_namesake_or_a_copy_would_delete(
    smallest: RunningStack, small_source: Mlruns, top: Path
) -> None:
    """While it runs; a stopped one is in test_identity.py."""
    steps = [
        *(("same name", UP), ("same name", DELETE)),
        *(("copied", DOWN), ("copied", DELETE), (OLD, LOG)),
    ]
    play(Seat(smallest, holds=found(smallest)), steps, small_source, top)
