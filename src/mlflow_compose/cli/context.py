"""The context of every command: environment and global options."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mlflow_compose.console import Console
from mlflow_compose.errors import Cancelled, UsageError
from mlflow_compose.lock import hold
from mlflow_compose.payloads import Logs
from mlflow_compose.result import Result

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan
    from mlflow_compose.engines import Choice, Engine
    from mlflow_compose.identity import Identity
    from mlflow_compose.paths import StackPaths
    from mlflow_compose.record import Record
    from mlflow_compose.settings import Loaded
    from mlflow_compose.targets import Target

# An option of every command that starts the stack.
WaitTimeout = Annotated[
    float,
    typer.Option(min=1, metavar="SECONDS", help="How long to wait for all services to be healthy."),
]
# Commands that change what is in a cluster, which must then be the right one; and the answer of a
# user who does not want to be asked.
AGREES, ALWAYS = ("up", "down", "migrate-store"), "--yes"
# Commands that start something in the cluster of a stack, which was chosen before.
NEEDS_CHOICE = ("verify", "sql", "user", "workspace")
# Commands that an interrupted restore or upgrade does not keep from working: they end it.
ENDS_A_RESTORE = ("up", "restore", "reset", "down")
ENDS_AN_UPGRADE = ("up", "upgrade", "down")


@dataclass(frozen=True)
class _Stack:
    """What is known about a stack before it is planned."""

    loaded: "Loaded"
    paths: "StackPaths"
    identity: "Identity"
    record: "Record"
    engine: str


@dataclass
class Context:
    """The context of one command line."""

    console: Console
    environ: Mapping[str, str]
    command: str
    env_file: Path = Path(".env")
    # Question about the cluster that was answered with yes.
    agreed: str = ""

    def plan(self, target: "Target | None" = None, folder: Path | None = None) -> "Plan":
        """Plan the stack without checking whether its engine is available."""
        from mlflow_compose.actions import load_plan, read_settings
        from mlflow_compose.engines import check_supports
        from mlflow_compose.targets import COMPOSE, target_of

        loaded, paths = read_settings(self.env_file, self.environ)
        wanted = loaded.settings.stack_engine
        # Without an explicit engine, show the Compose files, whichever engine will run the stack.
        chosen = COMPOSE if wanted == "auto" else target_of(wanted)
        if target is None:
            check_supports(wanted, self.command)
        return load_plan(loaded, paths, self.environ, target or chosen, folder)

    def chosen_plan(self, engine: str | None = None, *, only_here: bool = False) -> "Plan":
        """Plan the stack for an engine that is available on this machine.

        Args:
            engine: Engine to use instead of the stack's.
            only_here: Whether the command only concerns files of this machine, which may be left
                from another engine.
        """
        from mlflow_compose.actions import check_place, load_plan
        from mlflow_compose.engines import choose
        from mlflow_compose.targets import target_of

        found = self._read(engine)
        choice = choose(found.engine, found.paths, found.identity, [*found.record.places])
        starts, loaded, target = self.command == "up", found.loaded, target_of(choice.engine)
        if starts:
            self._note_engine(choice, found.record)
        if not only_here:
            loaded = self._located(found, choice.engine)
        plan = load_plan(loaded, found.paths, self.environ, target, identity=found.identity)
        if not (starts or only_here):
            check_place(plan, found.record)
        return plan

    def _read(self, engine: str | None) -> "_Stack":
        """Read what is known about the stack, and which engine is wanted: maybe auto."""
        from mlflow_compose.actions import read_settings
        from mlflow_compose.identity import load_identity
        from mlflow_compose.record import read_record

        loaded, paths = read_settings(self.env_file, self.environ)
        identity, record = load_identity(paths), read_record(paths)
        # A running stack is stopped and inspected on the engine that it was started with.
        running = "" if self.command == "up" else record.started_on
        wanted = engine or running or loaded.settings.stack_engine
        return _Stack(loaded, paths, identity, record, wanted)

    def _note_engine(self, choice: "Choice", record: "Record") -> None:
        if choice.why:
            self.console.note(f"engine {choice.engine}: {choice.why}")
        others = ", ".join(name for name in record.places if name != choice.engine)
        if others:
            self.console.note(f"engine {choice.engine}: the stack's data on {others} is not shown")

    def _located(self, found: "_Stack", engine: str) -> "Loaded":
        """Return the settings with the place of the stack on its engine, which users agree to."""
        from mlflow_compose.actions import started_with
        from mlflow_compose.engines import check_supports, locate

        check_supports(engine, self.command)
        known = started_with(found.record, engine, found.identity)
        located = locate(engine, found.loaded.settings, known, self.environ)
        self._agree(located.question, located.answer)
        settings = found.loaded.settings.model_copy(update=dict(located.settings))
        return replace(found.loaded, settings=settings)

    def engine(self, plan: "Plan") -> "Engine":
        """Return the engine of the stack."""
        from mlflow_compose.engines import open_engine

        return open_engine(plan.stack, plan.paths, plan.identity, self.environ)

    @contextmanager
    def locked(self, output: Path | None = None) -> Iterator[None]:
        """Keep other commands that change the stack out while the block runs.

        Args:
            output: Output folder; one outside of the stack's own folders needs no lock.
        """
        from mlflow_compose.actions import read_settings
        from mlflow_compose.actions.restoring import check_not_restoring
        from mlflow_compose.actions.upgrading import check_not_upgrading
        from mlflow_compose.identity import read_id
        from mlflow_compose.targets import TARGETS

        # First, so that wrong settings are reported before anything is created.
        _, paths = read_settings(self.env_file, self.environ)
        own = {paths.root / target.folder for target in TARGETS.values()}
        elsewhere = output and output.resolve() not in own
        # Without an id, rendering creates one, wherever the files go: that needs the lock.
        if elsewhere and read_id(paths.root):
            yield
            return
        with hold(paths, self.command):
            if self.command not in ENDS_A_RESTORE:
                check_not_restoring(paths)
            if self.command not in ENDS_AN_UPGRADE:
                check_not_upgrading(paths)
            yield

    def agree(self, engine: str | None = None, *, yes: bool) -> None:
        """Ask whether the cluster is the right one, if that is in doubt.

        Before the lock is taken: the user may never answer.
        """
        from mlflow_compose.engines import choose, is_elsewhere

        self.agreed = ALWAYS if yes else ""
        found = self._read(engine)
        # For all others, there is no question, and looking for Docker takes time.
        if any(map(is_elsewhere, (found.engine, *found.record.places))):
            choice = choose(found.engine, found.paths, found.identity, [*found.record.places])
            self._located(found, choice.engine)

    def _agree(self, question: str, answer: str) -> None:
        if question and self.command in NEEDS_CHOICE:
            raise UsageError(
                f"this stack has no cluster yet: {answer} is only kubectl's current context",
                hint=f"mlflow-compose up starts it there; or set {answer} in .env",
            )
        if not question or self.command not in AGREES or self.agreed in {question, ALWAYS}:
            return
        if self.agreed:
            raise UsageError(
                "kubectl's current context changed before you confirmed, so nothing was changed",
                hint="run the same command again",
            )
        confirmed = self.console.confirm(question)
        if confirmed is None:
            raise UsageError(
                f"{answer} is only kubectl's current context, and there is no terminal for the "
                "confirmation",
                hint=f"set {answer} in .env, or add --yes",
            )
        if not confirmed:
            raise Cancelled("nothing was changed")
        self.agreed = question

    def confirm(self, question: str) -> None:
        """Ask the user to confirm that data is deleted; raise an error unless the answer is yes."""
        answer = self.console.confirm(question)
        if answer is None:
            raise UsageError(
                "this deletes data, and there is no terminal for the confirmation",
                hint="add --yes to confirm",
            )
        if not answer:
            raise Cancelled("nothing was deleted")

    @staticmethod
    def check_unchanged(question: str, now: str) -> None:
        """Make sure that exactly the data that the user confirmed would be deleted now."""
        if question != now:
            raise UsageError(
                "the stack changed before you confirmed, so nothing was deleted",
                hint="run the same command again",
            )

    def show(self, result: Result) -> NoReturn:
        """Print a result and exit with its exit code."""
        raise typer.Exit(self.console.show(self.command, result))

    def show_lines(self, lines: Iterator[str]) -> None:
        """Print lines as they arrive; with `--json`, all of them at the end."""
        if self.console.as_json:
            self.show(Result(Logs(list(lines))))
        for line in lines:
            if not self.console.line(line):
                return


def choices(*names: str) -> str:
    """Return names as a list of alternatives, such as `auto, docker or local`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def context_of(ctx: typer.Context) -> Context:
    """Return the context that commands share."""
    context: Context = ctx.obj
    return context
