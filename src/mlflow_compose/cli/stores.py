"""Commands that import data or move it to other stores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mlflow_compose.cli.context import Context, WaitTimeout, context_of
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan

app = typer.Typer()
# The value of --to that names no store.
KUBERNETES = "kubernetes"


@app.command(
    "migrate-store", epilog="Example: mlflow-compose migrate-store --to provider=versitygw"
)
def migrate_store(  # noqa: PLR0913, PLR0917 - options
    ctx: typer.Context,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STORE",
            help="New store: provider=NAME, s3=URL, s3=aws or postgres=HOST[:PORT]; or kubernetes.",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Env file with other settings to change, such as the new store's keys.",
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete the data that earlier migrations left behind."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Move the data to another S3 server, to PostgreSQL, or the whole stack into a cluster.

    MLflow is unavailable during the migration. The old data is kept until you run --prune.
    """
    from mlflow_compose import actions

    if bool(to) == prune:
        raise UsageError("migrate-store needs either --to or --prune")
    context = context_of(ctx)
    if prune:
        _prune(context, yes=yes)
    if to == [KUBERNETES]:
        _to_cluster(context, settings, wait_timeout, yes=yes)
    with context.locked():
        move = actions.plan_migration(context.chosen_plan(), to or [], settings, context.environ)
        result = actions.migrate_store(
            move, context.engine, context.console, wait_timeout=wait_timeout
        )
    context.show(result)


def _to_cluster(
    context: Context, settings: Path | None, wait_timeout: float, *, yes: bool
) -> NoReturn:
    from mlflow_compose import actions

    if settings:
        raise UsageError(
            f"--settings cannot be combined with --to {KUBERNETES}",
            hint="set in .env what the stack needs there, then run the command without it",
        )
    context.agree(KUBERNETES, yes=yes)
    with context.locked():
        old, located = context.chosen_plan(), context.chosen_plan(KUBERNETES)
        move = actions.plan_cluster_move(old, located, context.environ)
        result = actions.move_to_cluster(
            move, context.engine, context.console, wait_timeout=wait_timeout
        )
    context.show(result)


def _prune(context: Context, *, yes: bool) -> NoReturn:
    from mlflow_compose import actions

    question = ""
    if not yes:
        # Before taking the lock: the user may never answer.
        plan = context.chosen_plan()
        if unused := actions.unused(plan, context.engine(plan)):
            question = _question(unused, plan)
            context.confirm(question)
    with context.locked():
        plan = context.chosen_plan()
        engine = context.engine(plan)
        unused = actions.unused(plan, engine)
        if unused and not yes:
            context.check_unchanged(question, _question(unused, plan))
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
            help="An mlruns folder, a SQLite file, or the URL of a tracking server.",
        ),
    ],
    artifacts: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the artifacts, if they are not found automatically."
        ),
    ] = None,
) -> None:
    """Import experiments, runs, artifacts and models.

    Run it again to add what is new.
    """
    from mlflow_compose.actions.importing import import_, recognise

    context = context_of(ctx)
    found = recognise(source, artifacts, context.environ)
    with context.locked():
        plan = context.chosen_plan()
        result = import_(plan, context.engine(plan), context.console, found)
    context.show(result)
