"""`class handout`."""

from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose class handout")
def handout(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the hand-outs and nothing else. Default: class/handouts.",
            readable=False,
        ),
    ] = None,
) -> None:
    """Write a printable page and a folder of files for each seat, and a table for the teacher.

    They have the passwords of the seats. Those of seats that no longer exist are removed.
    """
    from mlflow_compose.actions.class_handout import handout_folder, write_handouts

    context = context_of(ctx)
    # An output folder needs no lock, unless the stack's id is created.
    with context.locked(output or Path("class")):
        plan = context.plan()
        result = write_handouts(plan, output or handout_folder(plan))
    context.show(result)
