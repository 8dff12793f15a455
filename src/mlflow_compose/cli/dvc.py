"""The commands for DVC, which versions data next to code in Git."""

from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of

app = typer.Typer(help="Keep data that DVC versions in the stack's S3 server.")


@app.callback()
def dvc() -> None:
    """Keep data that DVC versions in the stack's S3 server."""


@app.command("init", epilog="Example: mlflow-compose dvc init --bucket images")
def init(
    ctx: typer.Context,
    bucket: Annotated[
        str, typer.Option(metavar="NAME", help="Bucket for the data; created if it is missing.")
    ] = "dvc",
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="AWS credentials file with DVC's key for an external S3 server.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the default remote of the project.")
    ] = False,
) -> None:
    """Set up DVC in the current folder, with the stack's S3 server as its remote.

    The bucket has its own key, which is stored where Git does not see it. Run it again after a
    change of the stack's keys.
    """
    from mlflow_compose.actions.dvc import Request, init_dvc

    context = context_of(ctx)
    request = Request(Path.cwd(), bucket, key_file, force)
    with context.locked():
        plan = context.chosen_plan()
        result = init_dvc(plan, context.engine(plan), context.console, request)
    context.show(result)
