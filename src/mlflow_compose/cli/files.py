"""Commands for the files of a stack: its settings and its rendered files."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.context import choices, context_of
from mlflow_compose.cli.passphrase import PassphraseFile, known_passphrase
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow_compose.actions.plan import Plan
    from mlflow_compose.result import Result

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose init --set MLFLOW_PORT=5001")
def init(
    ctx: typer.Context,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Value of a setting; may be repeated."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help=".env of another MLflow stack, or a snapshot, to take settings from.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    new_secrets: Annotated[
        bool,
        typer.Option("--new-secrets", help="Do not take the secrets of a snapshot."),
    ] = False,
) -> None:
    """Create .env with random secrets.

    An existing file is never changed.
    """
    from mlflow_compose import actions
    from mlflow_compose.actions.init_from import init_from_snapshot, is_snapshot

    context, given = context_of(ctx), _pairs(settings or [])
    if source and is_snapshot(source):
        passphrase = partial(known_passphrase, context, passphrase_file)
        result = init_from_snapshot(
            context.env_file, given, source, None if new_secrets else passphrase
        )
    else:
        result = actions.init(context.env_file, given, source)
    context.show(result)


@app.command(epilog="Example: mlflow-compose render --diff")
def render(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="compose, local, helm, systemd or terraform. Default: what STACK_ENGINE runs.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write to this folder. Default: the target's own, such as compose/."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if files differ.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show the differences.")
    ] = False,
) -> None:
    """Write the files that the stack runs from."""
    from mlflow_compose import actions
    from mlflow_compose.targets import TARGETS

    if target not in {None, *TARGETS}:
        raise UsageError(f"--target must be {choices(*TARGETS)}, got {target}")
    context = context_of(ctx)
    chosen = TARGETS[target] if target else None
    if check or diff:
        plan = context.plan(chosen, output)
        context.show(actions.compare(plan, output or plan.folder, check=check, diff=diff))
    with context.locked(output):
        plan = context.plan(chosen, output)
        result = _writer(plan)(plan, output or plan.folder)
    context.show(result)


@app.command(epilog="Example: mlflow-compose config --list")
def config(
    ctx: typer.Context,
    list_all: Annotated[
        bool, typer.Option("--list", help="List all settings with their defaults; needs no .env.")
    ] = False,
) -> None:
    """Show the settings and the source of each.

    Secrets are masked.
    """
    from mlflow_compose import actions

    context = context_of(ctx)
    context.show(actions.list_settings() if list_all else actions.config(context.plan()))


def _writer(plan: "Plan") -> "Callable[[Plan, Path], Result]":
    """Return what writes the files of a plan's target, and says how to use them."""
    from mlflow_compose import actions
    from mlflow_compose.actions.chart import render_chart
    from mlflow_compose.actions.terraform import render_terraform
    from mlflow_compose.actions.units import render_units
    from mlflow_compose.targets import HELM, SYSTEMD, TERRAFORM

    others = {
        HELM.name: render_chart,
        SYSTEMD.name: render_units,
        TERRAFORM.name: render_terraform,
    }
    return others.get(plan.target.name, actions.render)


def _pairs(arguments: list[str]) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            # Not the rest of the argument, which may be a secret.
            raise UsageError(f"--set takes NAME=VALUE, got {name}")
        pairs[name] = value
    return pairs
