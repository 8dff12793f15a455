"""The commands about people who log in."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.context import Context, context_of
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions.users import People

app = typer.Typer(help="Add, list and remove the people who log in to MLflow.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name with which the user logs in.")]
Generate = Annotated[
    bool, typer.Option("--generate", help="Generate a password, and show it once.")
]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.callback()
def user() -> None:
    """Add, list and remove the people who log in to MLflow.

    This needs MLFLOW_AUTH=basic.
    """


@app.command("list", epilog="Example: mlflow-compose user list")
def list_(ctx: typer.Context) -> None:
    """List the users."""
    from mlflow_compose.actions.users import list_users

    context = context_of(ctx)
    context.show(list_users(people_of(context)))


@app.command("add", epilog="Example: mlflow-compose user add ada --generate")
def add(
    ctx: typer.Context,
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="Let the user do everything.")] = False,
    generate: Generate = False,
    password_stdin: FromInput = False,
) -> None:
    """Add a user, whose password is asked for."""
    from mlflow_compose.actions.users import add_user

    context = context_of(ctx)
    password = _password(context, generate=generate, from_input=password_stdin)
    context.show(add_user(people_of(context), name, password, is_admin=admin))


@app.command("passwd", epilog="Example: mlflow-compose user passwd ada")
def passwd(
    ctx: typer.Context,
    name: Name,
    generate: Generate = False,
    password_stdin: FromInput = False,
) -> None:
    """Change a user's password, which is asked for."""
    from mlflow_compose.actions.users import set_password

    context = context_of(ctx)
    password = _password(context, generate=generate, from_input=password_stdin)
    people = people_of(context)
    with context.console.step("Changing the password"):
        result = set_password(people, name, password)
    context.show(result)


@app.command("remove", epilog="Example: mlflow-compose user remove ada --yes")
def remove(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove a user; runs and models stay."""
    from mlflow_compose.actions.users import remove_user

    context = context_of(ctx)
    if not yes:
        context.confirm(f"Remove the user {name}?")
    people = people_of(context)
    with context.console.step("Removing the user"):
        result = remove_user(people, name)
    context.show(result)


@app.command("grant", epilog="Example: mlflow-compose user grant ada churn EDIT")
def grant(
    ctx: typer.Context,
    name: Name,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="Name or id of an experiment.")
    ],
    permission: Annotated[
        str, typer.Argument(metavar="PERMISSION", help="READ, USE, EDIT or MANAGE; NONE ends it.")
    ],
    workspace: Annotated[
        str, typer.Option(metavar="NAME", help="Workspace of the experiment. Default: default.")
    ] = "",
) -> None:
    """Let a user read or change an experiment of someone else."""
    from mlflow_compose.actions import users as actions

    context = context_of(ctx)
    context.show(actions.grant(people_of(context), name, experiment, permission, workspace))


@app.command(
    "import", epilog="Example: mlflow-compose user import people.csv --output passwords.csv"
)
def import_(
    ctx: typer.Context,
    roster: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV file with the columns name, email and team.", readable=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="New file for the passwords, which only you can read. Default: print them.",
            readable=False,
        ),
    ] = None,
) -> None:
    """Add all people of a roster, with passwords that are shown once.

    People who are users already keep their passwords.
    """
    from mlflow_compose.actions.import_users import import_users

    context = context_of(ctx)
    context.show(import_users(people_of(context), roster, output))


def people_of(context: Context) -> "People":
    """Return the users of the stack."""
    from mlflow_compose.actions.users import People

    return People(context.engine(context.chosen_plan()), time.sleep)


def _password(context: Context, *, generate: bool, from_input: bool) -> str | None:
    """Return the password that is given or typed, None if one is to be generated."""
    from mlflow_compose.people import check_password

    if generate and from_input:
        raise UsageError("--generate cannot be combined with --password-stdin")
    if generate:
        return None
    if from_input:
        return check_password(sys.stdin.readline().rstrip("\r\n"))
    typed = context.console.secret("Password")
    if typed is None:
        raise UsageError(
            "a password is needed, and there is no terminal to type it",
            hint="add --generate or --password-stdin",
        )
    if context.console.secret("The same again") != check_password(typed):
        raise UsageError("the passwords differ", hint="run the same command again")
    return typed
