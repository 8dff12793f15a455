"""The commands that move what a stack keeps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mlflow_compose.cli.context import Context, context_of
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan

app = typer.Typer()


@app.command(
    "migrate-store", epilog="Example: mlflow-compose migrate-store --to provider=versitygw"
)
def migrate_store(  # noqa: PLR0913, PLR0917 - options
    ctx: typer.Context,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STORE", help="provider=NAME, s3=URL, s3=aws or postgres=HOST[:PORT]."
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="An env file with what else changes: the new store's keys, its bucket."),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete the data that is left in an old place."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until every service must be healthy.")
    ] = 180,
) -> None:
    """Move the data to another S3 server or to PostgreSQL, compare, and use that from then on.

    MLflow does not answer meanwhile. The old data is kept until --prune.
    """
    from mlflow_compose import actions

    if bool(to) == prune:
        raise UsageError("migrate-store takes either --to or --prune")
    context = context_of(ctx)
    if prune:
        _prune(context, yes=yes)
    with context.alone():
        move = actions.plan_move(context.chosen_plan(), to or [], settings, context.environ)
        result = actions.migrate_store(
            move, context.engine, context.console, wait_timeout=wait_timeout
        )
    context.show(result)


def _prune(context: Context, *, yes: bool) -> NoReturn:
    from mlflow_compose import actions

    asked = ""
    if not yes:
        # Before the lock is taken: whoever is asked may be away.
        plan = context.chosen_plan()
        if unused := actions.unused(plan, context.engine(plan)):
            asked = _question(unused, plan)
            context.confirm(asked)
    with context.alone():
        plan = context.chosen_plan()
        engine = context.engine(plan)
        unused = actions.unused(plan, engine)
        if unused and not yes:
            context.agree(asked, _question(unused, plan))
        result = actions.prune(plan, engine, unused)
    context.show(result)


def _question(unused: Sequence[str], plan: "Plan") -> str:
    return f"Delete {', '.join(unused)} of the stack {plan.stack.name}?"


@app.command("import", epilog="Example: mlflow-compose import ~/work/mlruns")
def import_(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A mlruns folder, a file of SQLite, or a tracking server's address.",
        ),
    ],
    artifacts: Annotated[
        Path | None,
        typer.Option(help="Folder of the artifacts, if it is not beside the database."),
    ] = None,
) -> None:
    """Bring experiments, runs, artifacts and models into the stack; again adds what is new."""
    from mlflow_compose import actions

    context = context_of(ctx)
    found = actions.recognise(source, artifacts, context.environ)
    with context.alone():
        plan = context.chosen_plan()
        result = actions.import_(plan, context.engine(plan), context.console, found)
    context.show(result)
