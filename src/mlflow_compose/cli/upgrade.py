"""`upgrade`, and the end of one that was interrupted."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.context import Context, WaitTimeout, context_of
from mlflow_compose.errors import Cancelled

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose upgrade --to 3.17.2")
def upgrade(  # noqa: PLR0913, PLR0917 - options
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="MLflow version. Default: the one of .env, or the tool's."
        ),
    ] = None,
    postgres: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Image of PostgreSQL, such as postgres:18.4."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Upgrade MLflow and PostgreSQL together with their data.

    A snapshot is taken first. If anything fails, everything is put back as it was.
    """
    from mlflow_compose.actions.restore import Work
    from mlflow_compose.actions.upgrade import describe, upgrade
    from mlflow_compose.actions.upgrade_plan import plan_upgrade

    context = context_of(ctx)
    move = plan_upgrade(context.chosen_plan(), to, postgres, context.environ)
    if check:
        context.show(describe(move))
    if move.changes and not yes:
        _confirm(context, move.lines)
    with context.locked():
        plan = context.chosen_plan()
        if settle(context, plan, wait_timeout):
            plan = context.chosen_plan()
        move = plan_upgrade(plan, to, postgres, context.environ)
        work = Work(move.old, context.engine, context.console, wait_timeout)
        result = upgrade(move, work, datetime.now(UTC))
    context.show(result)


def _confirm(context: Context, lines: list[str]) -> None:
    """Ask on a terminal; nothing is deleted, so a script needs no answer."""
    if context.console.confirm(f"Upgrade {', '.join(lines)}?") is False:
        raise Cancelled("nothing was changed")


def settle(context: Context, plan: "Plan", wait_timeout: float) -> bool:
    """Undo or finish an upgrade that was interrupted; return whether there was one."""
    from mlflow_compose.actions.upgrading import upgrading

    if not upgrading(plan.paths):
        return False
    from mlflow_compose.actions import undo_upgrade
    from mlflow_compose.actions.restore import Work

    undo_upgrade.settle(Work(plan, context.engine, context.console, wait_timeout))
    return True
