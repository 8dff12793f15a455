"""The command that copies examples."""

from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose example tracking")
def example(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Example to copy. Default: list all.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="New folder for the copy. Default: NAME in the current folder."
        ),
    ] = None,
) -> None:
    """List the examples, or copy one.

    A copy comes with the commands that run it.
    """
    from mlflow_compose import actions

    if output and not name:
        raise UsageError("--output needs the name of an example")
    found = actions.copy_example(name, output) if name else actions.list_examples()
    context_of(ctx).show(found)
