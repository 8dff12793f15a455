"""The command that draws a stack."""

from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose.cli.completion import among
from mlflow_compose.cli.context import choices, context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose diagram --output stack.mmd")
def diagram(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="What to draw: stack, or life (of a model).",
            autocompletion=among("stack", "life"),
        ),
    ] = "stack",
    output: Annotated[
        Path | None,
        # typer does not check the file: writing it gives better errors.
        typer.Option(metavar="FILE", help="Write to a file.", readable=False),
    ] = None,
) -> None:
    """Draw the stack, or the life of a model, as Mermaid text.

    Needs no running stack, and shows no secrets.
    """
    from mlflow_compose import actions
    from mlflow_compose.diagrams import DIAGRAMS

    if name not in DIAGRAMS:
        raise UsageError(f"the diagram must be {choices(*DIAGRAMS)}, got {name}")
    context = context_of(ctx)
    context.show(actions.diagram(context.plan(), name, output))
