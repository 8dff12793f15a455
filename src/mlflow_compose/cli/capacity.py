"""`plan`."""

from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose plan --seats 30")
def plan(
    ctx: typer.Context,
    seats: Annotated[
        int | None,
        typer.Option(min=1, max=1000, metavar="N", help="Show what a machine for N seats needs."),
    ] = None,
) -> None:
    """Show how many seats of a class fit on this machine, and what more of them need."""
    from mlflow_compose.actions.capacity import show_capacity

    context = context_of(ctx)
    context.show(show_capacity(context.env_file, seats))
