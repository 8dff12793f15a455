"""The command that frees data that nothing uses any more."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.context import Context, context_of

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan

app = typer.Typer()

OlderThan = Annotated[
    str,
    typer.Option(
        metavar="DURATION", help="Keep what was deleted later than this ago: 30d, 12h or 90m."
    ),
]
UnsharedBucket = Annotated[
    bool,
    typer.Option(
        "--unshared-bucket",
        help="Also free orphans in an external bucket, which no other MLflow server may use.",
    ),
]


@app.command(epilog="Example: mlflow-compose gc --older-than 90d")
def gc(  # noqa: PLR0913, PLR0917 - options
    ctx: typer.Context,
    apply: Annotated[
        bool, typer.Option("--apply", help="Free it, instead of only showing it.")
    ] = False,
    older_than: OlderThan = "30d",
    unshared_bucket: UnsharedBucket = False,
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="Do not make a backup first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Show what nothing uses any more, and free it with --apply.

    That is: deleted runs, logged models and experiments, and objects in the bucket without a run,
    model or trace (orphans). Orphans younger than 24 hours are always kept.
    """
    from mlflow_compose.actions import gc as actions
    from mlflow_compose.actions.durations import duration

    context, now = context_of(ctx), datetime.now(UTC)
    wish = actions.Wish(duration(older_than, "--older-than"), unshared_bucket)

    question = ""
    if not (apply and yes):
        # Before taking the lock: the user may never answer.
        plan = context.chosen_plan()
        found = actions.look(plan, context.engine(plan), context.console, wish, now)
        question = actions.question(found, plan.stack.name)
        if not (apply and question):
            context.show(actions.shown(found))
        context.confirm(question)
    with context.locked():
        plan = context.chosen_plan()
        engine = context.engine(plan)
        if question:
            found = actions.look(plan, engine, context.console, wish, now)
            context.check_unchanged(question, actions.question(found, plan.stack.name))
        before = None if no_backup else partial(_backup, context, plan, now)
        result = actions.gc(plan, engine, context.console, wish, now, before)
    context.show(result)


def _backup(context: Context, plan: "Plan", now: datetime) -> str:
    """Take a snapshot; return its name."""
    from mlflow_compose.actions.backup import backup_before

    return backup_before("gc", plan, context.engine(plan), context.console, now)
