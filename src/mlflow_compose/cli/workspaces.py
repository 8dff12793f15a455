"""The commands about workspaces."""

from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of
from mlflow_compose.cli.users import people_of
from mlflow_compose.errors import UsageError

app = typer.Typer(help="Separate experiments, models and artifacts by workspace.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the workspace.")]


@app.callback()
def workspace() -> None:
    """Separate experiments, models and artifacts by workspace.

    This needs MLFLOW_WORKSPACES=true.
    """


@app.command("list", epilog="Example: mlflow-compose workspace list")
def list_(ctx: typer.Context) -> None:
    """List the workspaces, and who has access to each."""
    from mlflow_compose.actions.workspaces import list_workspaces

    context = context_of(ctx)
    context.show(list_workspaces(people_of(context)))


@app.command("add", epilog="Example: mlflow-compose workspace add vision")
def add(
    ctx: typer.Context,
    name: Name,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
) -> None:
    """Add a workspace."""
    from mlflow_compose.actions.workspaces import add_workspace

    context = context_of(ctx)
    context.show(add_workspace(people_of(context), name, description))


@app.command("remove", epilog="Example: mlflow-compose workspace remove vision")
def remove(
    ctx: typer.Context,
    name: Name,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Also delete its experiments and models.")
    ] = False,
    to_default: Annotated[
        bool,
        typer.Option("--to-default", help="Move its experiments and models to the default one."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove a workspace that holds no data."""
    from mlflow_compose.actions.workspaces import remove_workspace

    if with_data and to_default:
        raise UsageError("--with-data cannot be combined with --to-default")
    context = context_of(ctx)
    if with_data and not yes:
        context.confirm(f"Delete the workspace {name} with its experiments and models?")
    people = people_of(context)
    context.show(remove_workspace(people, name, with_data=with_data, to_default=to_default))


@app.command("grant", epilog="Example: mlflow-compose workspace grant vision ada USE")
def grant(
    ctx: typer.Context,
    name: Name,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name of the user.")],
    permission: Annotated[
        str,
        typer.Argument(
            metavar="PERMISSION",
            help="USE (own experiments and models), MANAGE (all of them); NONE ends it.",
        ),
    ],
) -> None:
    """Let a user work in a workspace."""
    from mlflow_compose.actions.workspaces import grant_workspace

    context = context_of(ctx)
    context.show(grant_workspace(people_of(context), name, user, permission))
