"""The commands, as they are typed."""

import re
from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose import __version__
from mlflow_compose.cli import stores
from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError

# What is rendered, and the engine that runs it.
TARGETS = {"compose": "docker", "local": "local"}

app = typer.Typer(
    name="mlflow-compose",
    help="One .env in, one working and proven MLflow stack out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(stores.app)


def _version(wanted: bool) -> None:  # noqa: FBT001 - a callback's signature is typer's
    if wanted:
        typer.echo(f"mlflow-compose {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: mlflow-compose init && mlflow-compose up")
def options(
    ctx: typer.Context,
    env_file: Annotated[
        Path,
        # Not checked here: the reader of env files says better what is wrong with one.
        typer.Option(help="Settings of the stack; its other files are beside it.", readable=False),
    ] = Path(".env"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of text.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print results only.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One .env in, one working and proven MLflow stack out."""
    # The console already knows --json and --quiet: errors of this very line need them.
    del as_json, quiet, version
    if env_file == Path():
        raise UsageError("--env-file takes the path of a file")
    context_of(ctx).env_file = env_file


@app.command(epilog="Example: mlflow-compose init --set MLFLOW_PORT=5001")
def init(
    ctx: typer.Context,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A value to write.")
    ] = None,
) -> None:
    """Write .env with random secrets; an existing one is never touched."""
    from mlflow_compose import actions

    context = context_of(ctx)
    context.show(actions.init(context.env_file, _pairs(settings or [])))


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

    if target not in {None, *TARGETS}:
        raise UsageError(f"--target must be one of {', '.join(TARGETS)}, got {target}")
    context = context_of(ctx)
    engine = TARGETS[target] if target else None
    if check or diff:
        plan = context.plan(engine, output)
        context.show(actions.compare(plan, output or plan.folder, check=check, diff=diff))
    with context.alone(output):
        plan = context.plan(engine, output)
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


@app.command(epilog="Example: mlflow-compose up --wait-timeout 60")
def up(
    ctx: typer.Context,
    engine: Annotated[
        str | None, typer.Option(help="What runs it: auto, docker or local (STACK_ENGINE).")
    ] = None,
    wait_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until every service must be healthy.")
    ] = 180,
    verify: Annotated[bool, typer.Option(help="Log a run and an artifact at the end.")] = True,
    start_empty: Annotated[
        bool,
        typer.Option(
            "--start-empty", help="Start also where changed settings leave the data behind."
        ),
    ] = False,
) -> None:
    """Start the stack and prove that it works."""
    from mlflow_compose import actions

    if engine not in {None, "auto", *TARGETS.values()}:
        raise UsageError(f"--engine must be auto, docker or local, got {engine}")
    context = context_of(ctx)
    with context.alone():
        plan = context.chosen_plan(engine)
        result = actions.up(
            plan,
            context.engine(plan),
            context.console,
            wait_timeout=wait_timeout,
            prove=verify,
            engine_of=None if start_empty else context.engine,
        )
    context.show(result)


@app.command(epilog="Example: mlflow-compose down --volumes --yes")
def down(
    ctx: typer.Context,
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Delete the data too: runs and artifacts.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Stop the stack; its data is kept."""
    from mlflow_compose import actions

    context = context_of(ctx)
    asked = ""
    if volumes and not yes:
        # Before the lock is taken: whoever is asked may be away.
        asked = actions.what_is_lost(context.engine(context.chosen_plan()))
        context.confirm(asked)
    with context.alone():
        plan = context.chosen_plan()
        engine = context.engine(plan)
        if asked:
            context.agree(asked, actions.what_is_lost(engine))
        result = actions.down(plan, engine, context.console, volumes=volumes)
    context.show(result)


@app.command(epilog="Example: mlflow-compose status --json")
def status(ctx: typer.Context) -> None:
    """Show how the services are, and where they answer."""
    from mlflow_compose import actions

    context = context_of(ctx)
    plan = context.chosen_plan()
    context.show(actions.status(context.engine(plan), actions.moving(plan.paths)))


@app.command(epilog="Example: mlflow-compose logs mlflow --follow")
def logs(
    ctx: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All where none is named.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as new lines come.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Lines from the end.")] = None,
) -> None:
    """Show what the services said."""
    from mlflow_compose import actions

    context = context_of(ctx)
    if follow and context.console.as_json:
        raise UsageError("--follow has no end, so it does not go with --json")
    engine = context.engine(context.chosen_plan())
    lines = actions.logs(engine, services or [], follow=follow, tail=tail)
    context.show_lines(lines)


@app.command(epilog="Example: mlflow-compose verify --json")
def verify(ctx: typer.Context) -> None:
    """Prove the running stack: what goes in must come back."""
    from mlflow_compose import actions

    context = context_of(ctx)
    context.show(actions.prove(context.engine(context.chosen_plan()), context.console))


def _pairs(arguments: list[str]) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            # What stands behind the name may be a secret.
            raise UsageError(f"--set takes NAME=VALUE, got {name}")
        pairs[name] = value
    return pairs
