"""The commands that let a stack start at boot."""

import typer

from mlflow_compose.cli.context import context_of

app = typer.Typer(help="Start the stack when this machine boots.")


@app.callback()
def service() -> None:
    """Start the stack when this machine boots."""


@app.command("install", epilog="Example: mlflow-compose service install")
def install(ctx: typer.Context) -> None:
    """Let systemd start the stack at boot; on Docker, check that Docker does.

    As root, the unit is one of the system, otherwise one of this user.
    """
    from mlflow_compose.actions.boot import install_service

    context = context_of(ctx)
    with context.locked():
        plan = context.chosen_plan()
        result = install_service(plan)
    context.show(result)


@app.command("remove", epilog="Example: mlflow-compose service remove")
def remove(ctx: typer.Context) -> None:
    """Delete the stack's systemd unit, and leave the stack running."""
    from mlflow_compose.actions.boot import remove_service

    context = context_of(ctx)
    with context.locked():
        result = remove_service(context.chosen_plan(only_here=True))
    context.show(result)


@app.command("status", epilog="Example: mlflow-compose service status")
def status(ctx: typer.Context) -> None:
    """Show whether the stack starts at boot."""
    from mlflow_compose.actions.boot import service_status

    context = context_of(ctx)
    context.show(service_status(context.chosen_plan(only_here=True)))
