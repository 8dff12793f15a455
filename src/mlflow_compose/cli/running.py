"""The commands that start, stop and look at a stack."""

from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


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
            "--start-empty", help="Start without the data that settings or a missing disk hide."
        ),
    ] = False,
) -> None:
    """Start the stack and prove that it works."""
    from mlflow_compose import actions
    from mlflow_compose.targets import engines

    if engine not in {None, "auto", *engines()}:
        raise UsageError(f"--engine must be auto, {' or '.join(engines())}, got {engine}")
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
