"""Commands that start, stop and inspect a stack."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.backup import put_back
from mlflow_compose.cli.completion import among, services
from mlflow_compose.cli.context import Context, WaitTimeout, choices, context_of
from mlflow_compose.cli.signals import until_ctrl_c
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan

app = typer.Typer()
# Seconds between two looks at the services.
WATCH_EVERY = 1


@app.command(epilog="Example: mlflow-compose up --wait-timeout 60")
def up(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: typer.Context,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Override STACK_ENGINE: auto, docker, local or kubernetes.",
            autocompletion=among("auto", "docker", "local", "kubernetes"),
        ),
    ] = None,
    wait_timeout: WaitTimeout = 180,
    verify: Annotated[
        bool, typer.Option(help="Verify the stack by logging a run and an artifact.")
    ] = True,
    start_empty: Annotated[
        bool,
        typer.Option(
            "--start-empty",
            help="Start with empty stores even if changed settings or a missing disk hide data.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Use kubectl's current context without confirmation.")
    ] = False,
) -> None:
    """Start the stack and verify that it works."""
    from mlflow_compose import actions
    from mlflow_compose.targets import engines

    if engine not in {None, "auto", *engines()}:
        raise UsageError(f"--engine must be {choices('auto', *engines())}, got {engine}")
    context = context_of(ctx)
    context.agree(engine, yes=yes)
    with context.locked():
        plan = _settled(context, engine, wait_timeout)
        result = actions.up(
            plan,
            context.engine(plan),
            context.console,
            wait_timeout=wait_timeout,
            prove=verify,
            engine_of=None if start_empty else context.engine,
        )
    context.show(result)


def _settled(context: Context, engine: str | None, wait_timeout: float) -> "Plan":
    """Return the plan of the stack, after undoing or finishing what was interrupted."""
    from mlflow_compose.cli.upgrade import settle

    plan = context.chosen_plan(engine)
    put_back(context, plan, wait_timeout)
    return context.chosen_plan(engine) if settle(context, plan, wait_timeout) else plan


@app.command(epilog="Example: mlflow-compose down --volumes --yes")
def down(
    ctx: typer.Context,
    volumes: Annotated[
        bool,
        typer.Option(
            "--volumes",
            help="Also delete the data: runs, artifacts, and all buckets of the bundled S3 server.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Stop the stack and keep its data."""
    from mlflow_compose import actions

    context = context_of(ctx)
    context.agree(yes=yes)
    question = ""
    if volumes and not yes:
        # Before taking the lock: the user may never answer.
        question = actions.what_is_lost(context.engine(context.chosen_plan()))
        context.confirm(question)
    with context.locked():
        plan = context.chosen_plan()
        engine = context.engine(plan)
        if question:
            context.check_unchanged(question, actions.what_is_lost(engine))
        result = actions.down(plan, engine, context.console, volumes=volumes)
    context.show(result)


@app.command(epilog="Example: mlflow-compose status --json")
def status(
    ctx: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep showing the states until Ctrl-C.")
    ] = False,
) -> None:
    """Show the state of the services and their URLs."""
    from mlflow_compose import actions
    from mlflow_compose.actions.restoring import state_of_restore
    from mlflow_compose.actions.upgrading import state_of_upgrade

    context = context_of(ctx)
    if watch and context.console.as_json:
        raise UsageError("--watch cannot be combined with --json")
    plan = context.chosen_plan()
    if watch:
        engine = context.engine(plan)
        with until_ctrl_c():
            context.console.live(actions.watch(engine, lambda: time.sleep(WATCH_EVERY)))
        return
    migration = actions.ongoing_migration(plan.paths)
    interrupted = state_of_restore(plan.paths) or state_of_upgrade(plan.paths)
    context.show(actions.status(context.engine(plan), migration, interrupted))


@app.command(epilog="Example: mlflow-compose logs mlflow --follow")
def logs(
    ctx: typer.Context,
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SERVICE",
            help="Services to show. Default: all.",
            autocompletion=services,
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Follow log output.")] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Number of lines to show from the end.")
    ] = None,
) -> None:
    """Show the logs of the services."""
    from mlflow_compose import actions

    context = context_of(ctx)
    if follow and context.console.as_json:
        raise UsageError("--follow cannot be combined with --json")
    engine = context.engine(context.chosen_plan())
    lines = actions.logs(engine, services or [], follow=follow, tail=tail)
    context.show_lines(lines)


@app.command(epilog="Example: mlflow-compose verify --json")
def verify(ctx: typer.Context) -> None:
    """Verify that the running stack works.

    Logs a run, artifacts and a model, and reads them back.
    """
    from mlflow_compose import actions

    context = context_of(ctx)
    context.show(actions.prove(context.engine(context.chosen_plan()), context.console))
