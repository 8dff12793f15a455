"""The commands about a class."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli import class_handout
from mlflow_compose.cli.context import Context, WaitTimeout, context_of
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions.class_setup import Work

app = typer.Typer(help="Give each participant of a class a tracking server or a login.")
app.add_typer(class_handout.app)
Roster = Annotated[
    Path | None,
    typer.Argument(
        metavar="ROSTER", help="CSV file with the columns name, email and team.", readable=False
    ),
]
Count = Annotated[
    int | None,
    typer.Option("--seats", min=1, metavar="N", help="Number of seats without names."),
]
Seats = Annotated[list[str] | None, typer.Argument(metavar="SEAT", help="Names of seats.")]
Everything = Annotated[bool, typer.Option("--all", help="All seats.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@app.callback()
def class_() -> None:
    """Give each participant of a class a tracking server, or a login on a shared one.

    A seat is what one person, or one team, works with.
    """


@app.command(epilog="Example: mlflow-compose class create people.csv --lan")
def create(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: typer.Context,
    roster: Roster = None,
    seats: Count = None,
    shared: Annotated[
        bool,
        typer.Option("--shared", help="One server for all, with a login for each."),
    ] = False,
    lan: Annotated[
        bool, typer.Option("--lan", help="Let other machines connect: STACK_BIND_ADDRESS=0.0.0.0.")
    ] = False,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Create a class from a roster and start its seats.

    Without a .env file, one is created. Each person gets a seat; people of the same team share one.
    """
    from mlflow_compose import actions
    from mlflow_compose.actions import class_setup
    from mlflow_compose.actions.class_roster import members_from

    context = context_of(ctx)
    members = members_from(roster, seats)
    mode = class_setup.SHARED if shared else class_setup.SEATS
    if not context.env_file.exists():
        actions.init(context.env_file, class_setup.NEW_STACK[mode])
        context.console.note(f"created {context.env_file} with random secrets")
    with context.locked():
        result = class_setup.create(_work(context, wait_timeout), members, mode, lan=lan)
    context.show(result)


@app.command(epilog="Example: mlflow-compose class up")
def up(ctx: typer.Context, wait_timeout: WaitTimeout = 180) -> None:
    """Start the class, or mend what is broken in it."""
    from mlflow_compose.actions.class_setup import start

    context = context_of(ctx)
    with context.locked():
        result = start(_work(context, wait_timeout))
    context.show(result)


@app.command(epilog="Example: mlflow-compose class add latecomers.csv")
def add(
    ctx: typer.Context,
    roster: Roster = None,
    seats: Count = None,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Add people to the class, and start their seats."""
    from mlflow_compose.actions import class_setup

    context = context_of(ctx)
    with context.locked():
        result = class_setup.add(_work(context, wait_timeout), roster, seats)
    context.show(result)


@app.command(epilog="Example: mlflow-compose class remove ada")
def remove(
    ctx: typer.Context, seats: Seats = None, yes: Yes = False, wait_timeout: WaitTimeout = 180
) -> None:
    """Remove seats with their runs and artifacts."""
    from mlflow_compose.actions import class_change

    context = context_of(ctx)
    names = _names(context, seats, everything=False)
    _confirm(context, names, yes=yes)
    with context.locked():
        result = class_change.remove(_work(context, wait_timeout), names)
    context.show(result)


@app.command(epilog="Example: mlflow-compose class reset ada")
def reset(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: typer.Context,
    seats: Seats = None,
    everything: Everything = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="SNAPSHOT", help="What they get: name or folder. Default: nothing."
        ),
    ] = None,
    yes: Yes = False,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Delete the runs and artifacts of seats, which keep their addresses and passwords."""
    from mlflow_compose.actions import class_change

    context = context_of(ctx)
    names = _names(context, seats, everything=everything)
    _confirm(context, names, yes=yes)
    with context.locked():
        result = class_change.reset(_work(context, wait_timeout), names, to)
    context.show(result)


@app.command(epilog="Example: mlflow-compose class seed prepared")
def seed(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SNAPSHOT|NOTEBOOK",
            help="Name or folder of a snapshot; or a .ipynb or .py file.",
        ),
    ],
    yes: Yes = False,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Give every seat the same experiments, runs and models.

    A snapshot replaces what the seats have stored. A notebook or a script runs once for each seat,
    with the packages of MLflow's server.
    """
    from mlflow_compose.actions import class_data
    from mlflow_compose.actions.class_program import is_program, run_program

    context = context_of(ctx)
    if is_program(source):
        context.show(run_program(_work(context, wait_timeout), source))
    class_data.seeding_snapshot(_work(context, wait_timeout), source)
    if not yes:
        context.confirm("Replace what all seats have stored by the snapshot?")
    with context.locked():
        result = class_data.seed(_work(context, wait_timeout), source)
    context.show(result)


@app.command(epilog="Example: mlflow-compose class collect")
def collect(ctx: typer.Context) -> None:
    """Take a snapshot of each seat, and write a table of all runs for grading."""
    from datetime import UTC, datetime

    from mlflow_compose.actions.class_data import collect as action

    context = context_of(ctx)
    with context.locked():
        result = action(_work(context, 0), datetime.now(UTC))
    context.show(result)


@app.command(epilog="Example: mlflow-compose class down --volumes")
def down(
    ctx: typer.Context,
    volumes: Annotated[
        bool,
        typer.Option(
            "--volumes", help="Also delete the data, the passwords, the roster and the hand-outs."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Stop the class and keep its data."""
    from mlflow_compose import actions
    from mlflow_compose.actions.class_down import class_down

    context = context_of(ctx)
    if volumes and not yes:
        context.confirm(actions.what_is_lost(context.engine(context.chosen_plan())))
    with context.locked():
        plan = context.chosen_plan()
        result = class_down(plan, context.engine(plan), context.console, volumes=volumes)
    context.show(result)


def _work(context: Context, wait_timeout: float) -> "Work":
    from mlflow_compose.actions.class_setup import Work

    # As `up` does: the settings may name another engine than the one that runs.
    return Work(context.chosen_plan(), context.engine, context.console, wait_timeout)


def _names(context: Context, seats: Sequence[str] | None, *, everything: bool) -> Sequence[str]:
    """Return the names of seats that were given.

    Raises:
        UsageError: None was given, or a seat does not exist.
    """
    from mlflow_compose.actions.class_access import accesses
    from mlflow_compose.actions.class_change import check_seats

    plan = context.chosen_plan()
    if everything and not seats:
        check_seats(plan, ())
        return [each.seat for each in accesses(plan)]
    if not seats or everything:
        raise UsageError("name the seats", hint="mlflow-compose class status lists them")
    check_seats(plan, seats)
    return list(dict.fromkeys(seats))


def _confirm(context: Context, names: Sequence[str], *, yes: bool) -> None:
    if not yes:
        context.confirm(f"Delete all runs and artifacts of {', '.join(names)}?")
