"""The commands about the files of a stack: its settings, and what is rendered from them."""

import re
from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose init --set MLFLOW_PORT=5001")
def init(
    ctx: typer.Context,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A value to write.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="The .env of another MLflow stack, to take over."
        ),
    ] = None,
) -> None:
    """Write .env with random secrets; an existing one is never touched."""
    from mlflow_compose import actions

    context = context_of(ctx)
    context.show(actions.init(context.env_file, _pairs(settings or []), source))


@app.command(epilog="Example: mlflow-compose render --diff")
def render(
    ctx: typer.Context,
    target: Annotated[
        str | None, typer.Option(help="What to render: compose or local (STACK_ENGINE).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to instead of compose/ or local/.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if disk differs.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show what would change.")
    ] = False,
) -> None:
    """Write the files of the stack."""
    from mlflow_compose import actions
    from mlflow_compose.targets import TARGETS

    if target not in {None, *TARGETS}:
        raise UsageError(f"--target must be one of {', '.join(TARGETS)}, got {target}")
    context = context_of(ctx)
    chosen = TARGETS[target] if target else None
    if check or diff:
        plan = context.plan(chosen, output)
        context.show(actions.compare(plan, output or plan.folder, check=check, diff=diff))
    with context.alone(output):
        plan = context.plan(chosen, output)
        result = actions.render(plan, output or plan.folder)
    context.show(result)


@app.command(epilog="Example: mlflow-compose config --list")
def config(
    ctx: typer.Context,
    list_all: Annotated[
        bool, typer.Option("--list", help="Show every setting that there is; needs no .env.")
    ] = False,
) -> None:
    """Show the settings and where each came from; secrets are masked."""
    from mlflow_compose import actions

    context = context_of(ctx)
    context.show(actions.list_settings() if list_all else actions.config(context.plan()))


def _pairs(arguments: list[str]) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            # What stands behind the name may be a secret.
            raise UsageError(f"--set takes NAME=VALUE, got {name}")
        pairs[name] = value
    return pairs
