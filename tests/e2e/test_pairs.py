"""Two stacks next to each other: a command for one never changes the data of the other."""

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

# Name of a stack and command to run for it; a new stack is created in that relation to the old one.
Steps = Sequence[tuple[str, str]]
# Digests of artifacts by run id.
Data = dict[str, list[str]]


class Seat:
    """A stack and the data that it must have.

    Attributes:
        stack: Stack.
        options: Options of all its commands.
        expected: Expected data: everything logged and imported, and not deleted.
        owns_data: Whether its data is separate from the other stack's and can be inspected.
        is_stale: Whether the folder was renamed under the running server: SQLite then refuses to
            write until the server is restarted.
    """

    def __init__(
        self, stack: RunningStack, options: Sequence[str] = (), expected: Data | None = None
    ) -> None:
        self.stack = stack
        self.options = options
        self.expected = expected or {}
        self.owns_data = True
        self.is_stale = False

    def types(self, command: str, source: Mlruns) -> None:
        """Run one command and update the expected data."""
        if command == LOG:
            if self.runs() and not self.is_stale:
                run = self.stack.log_run()
                self.expected[run.id] = found(self.stack)[run.id]
            return
        words = [*command.split(), *([str(source.path)] if command == IMPORT else [])]
        done = self.stack.tool(*self.options, *words, code=None).code == 0
        if done and command in {UP, DOWN, DELETE}:
            self.is_stale = False
        if done and command == DELETE:
            self.expected = {}
        if done and command == IMPORT:
            self.expected[source.run_id] = [hashlib.sha256(source.content).hexdigest()]

    def runs(self) -> bool:
        """Tell whether the tool reports the stack as running."""
        output = self.stack.tool(*self.options, "status", "--json", code=None)
        return bool(output.code == 0 and output.data["services"])


def data_of(runs: Sequence[str], files: Mapping[str, str]) -> Data:
    """Return the digests of artifacts by run id."""
    expected: Data = {run: [] for run in runs}
    for path, digest in files.items():
        # EXPERIMENT/RUN/artifacts/...
        expected.setdefault(path.split("/")[1], []).append(digest)
    return expected


def found(stack: RunningStack) -> Data:
    """Return the data that is really on disk."""
    seen = kept(stack)
    return data_of(seen.runs, seen.files)


# --- how two stacks are related


def other_folder(old: Seat, top: Path) -> Seat:
    """Share nothing."""
    return Seat(type(old.stack)(new_folder(top / "elsewhere"), SMALLEST))


def same_name(old: Seat, top: Path) -> Seat:
    """Use another folder and the same project name."""
    name = old.stack.settings["COMPOSE_PROJECT_NAME"]
    seat = Seat(
        type(old.stack)(new_folder(top / "namesake"), {**SMALLEST, "COMPOSE_PROJECT_NAME": name})
    )
    # Docker's volumes are found by project name, so the old stack's volumes are the only ones.
    seat.owns_data = isinstance(seat.stack, LocalStack)
    return seat


def same_port(old: Seat, top: Path) -> Seat:
    """Use another folder and the same port."""
    port = old.stack.settings["MLFLOW_PORT"]
    return Seat(type(old.stack)(new_folder(top / "intruder"), {**SMALLEST, "MLFLOW_PORT": port}))


def same_folder(old: Seat, top: Path) -> Seat:
    """Use a second env file in the same folder, with another name and port."""
    del top
    stack = copy.copy(old.stack)
    stack.env_file = stack.folder / "second.env"
    shutil.copy(old.stack.env_file, stack.env_file)
    stack.name = f"{old.stack.name}-2"
    stack.write(COMPOSE_PROJECT_NAME=stack.name, MLFLOW_PORT=str(free_ports(1)[0]))
    seat = Seat(stack, ("--env-file", "second.env"))
    seat.owns_data = False
    return seat


def moved(old: Seat, top: Path) -> Seat:
    """Rename the old stack's folder and create the new stack under the old folder name."""
    del top
    home = old.stack.folder
    old.is_stale = is_up(old.stack)
    move(old.stack, home.with_name(f"{home.name} moved"))
    return Seat(type(old.stack)(new_folder(home), SMALLEST))


def moved_while_down(old: Seat, top: Path) -> Seat:
    """Stop the old stack, then do the same."""
    old.stack.tool("down")
    return moved(old, top)


def copied(old: Seat, top: Path) -> Seat:
    """Copy the old stack's folder with all its contents."""
    stack = copy.copy(old.stack)
    stack.folder = top / ("copy" if is_up(old.stack) else "copy while down")
    stack.env_file = stack.folder / ".env"
    ignored = shutil.ignore_patterns("*.sock")
    shutil.copytree(old.stack.folder, stack.folder, symlinks=True, ignore=ignored)
    local = isinstance(stack, LocalStack)
    seat = Seat(stack, expected={**old.expected} if local else None)
    # Docker's volumes are not in the folder and have the same name.
    seat.owns_data = local
    return seat


def copied_while_down(old: Seat, top: Path) -> Seat:
    """Stop the old stack, then do the same."""
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


def new_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


# --- the property


def play(old: Seat, steps: Steps, source: Mlruns, top: Path) -> None:
    """Run commands; after each, compare the data of all stacks with the expected data."""
    seats = {OLD: old}
    for step in steps:
        name, command = step
        if name not in seats:
            seats[name] = RELATIONS[name](old, top)
        seats[name].types(command, source)
        for other, seat in seats.items():
            if seat.owns_data:
                assert found(seat.stack) == seat.expected, f"{other} after {step}"


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    """Return a parent folder for stacks; processes started there are stopped afterwards."""
    yield new_folder(tmp_path / "top")
    end_processes_in(tmp_path)
    shutil.rmtree(tmp_path)


# Sequences that once lost or mixed up data, and more, with as few starts as possible.
JOURNEY: Steps = [
    *((OLD, UP), (OLD, LOG), (OLD, UP)),
    *(("other folder", DELETE), ("same name", PRUNE), ("same name", DELETE)),
    *(("same port", VERIFY), ("same port", IMPORT), ("same port", DELETE)),
    *(("same folder", UP), ("same folder", PRUNE), ("same folder", DELETE), (OLD, VERIFY)),
    *(("copied", DOWN), ("copied", DELETE), (OLD, LOG)),
    *(("moved", DELETE), ("moved", UP), (OLD, DOWN)),
    *(("copied while down", UP), ("copied while down", LOG), ("copied while down", IMPORT)),
    *(("moved while down", PRUNE), ("moved while down", DELETE), (OLD, PRUNE), (OLD, DELETE)),
]


def test_each_stack_must_have_exactly_its_own_data(small_source: Mlruns, top: Path) -> None:
    """On a machine without Docker, where more relations are possible."""
    play(Seat(LocalStack(new_folder(top / "stack"), SMALLEST)), JOURNEY, small_source, top)


@docker_only("the local engine has its own journeys")
def test_a_stack_on_docker_must_keep_data_that_a_namesake_or_a_copy_tries_to_delete(
    smallest: RunningStack, small_source: Mlruns, top: Path
) -> None:
    """The stack is running; test_identity.py covers a stopped one."""
    steps = [
        *(("same name", UP), ("same name", DELETE)),
        *(("copied", DOWN), ("copied", DELETE), (OLD, LOG)),
    ]
    play(Seat(smallest, expected=found(smallest)), steps, small_source, top)
