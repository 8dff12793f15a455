"""Commands that connect a client to a stack."""

from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from mlflow_compose.cli.completion import among
from mlflow_compose.cli.context import choices, context_of
from mlflow_compose.cli.signals import until_ctrl_c
from mlflow_compose.errors import UsageError

app = typer.Typer()
FORMAT_NAMES = ("bash", "dotenv", "fish", "powershell", "json", "python", "r", "jupyter")


Place = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="PLACE",
        help="Where the client runs: host, container, lan (another machine) or direct (on "
        "this machine, with S3).",
        autocompletion=among("host", "container", "lan", "direct"),
    ),
]
FormatName = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="bash, dotenv, fish, powershell, json, python, r or jupyter.",
        autocompletion=among(*FORMAT_NAMES),
    ),
]


@app.command(epilog='Example: eval "$(mlflow-compose env --secrets)"')
def env(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: typer.Context,
    place: Place = "host",
    format_name: FormatName = "bash",
    secrets: Annotated[bool, typer.Option("--secrets", help="Include passwords and keys.")] = False,
    workspace: Annotated[
        str,
        typer.Option(metavar="NAME", help="Workspace that the client uses. Default: default."),
    ] = "",
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a program that another machine checks its connection with; needs --for "
            "lan.",
        ),
    ] = None,
) -> None:
    """Print what a client must set to use the stack."""
    from mlflow_compose import actions
    from mlflow_compose.connect import FORMATS, PLACES

    if place not in PLACES:
        raise UsageError(f"--for must be {choices(*PLACES)}, got {place}")
    if format_name not in FORMATS:
        raise UsageError(f"--format must be {choices(*FORMATS)}, got {format_name}")
    if check and place != "lan":
        raise UsageError("--check is for other machines", hint="add --for lan")
    plan = context_of(ctx).chosen_plan()
    if check:
        written = actions.write_check(plan, place, check, secrets=secrets, workspace=workspace)
        context_of(ctx).show(written)
    context_of(ctx).show(
        actions.env(plan, place, format_name, secrets=secrets, workspace=workspace)
    )


@app.command("open", epilog="Example: mlflow-compose open")
def open_(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the URL: mlflow, s3 or console.")
    ] = "mlflow",
) -> None:
    """Open a server of the stack in the browser."""
    from mlflow_compose import actions

    context = context_of(ctx)
    engine = context.engine(context.chosen_plan())
    with engine.reachable():
        result = actions.open_url(engine, name, context.environ)
        if not engine.access().command:
            context.show(result)
        context.console.show(context.command, result)
        context.console.note("kubectl forwards the port until Ctrl-C")
        with until_ctrl_c():
            Event().wait()
