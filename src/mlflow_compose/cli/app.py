"""The command line application and its global options."""

from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose import __version__
from mlflow_compose.cli import (
    backup,
    boot,
    bundle,
    capacity,
    class_page,
    classroom,
    completion,
    connect,
    diagram,
    dvc,
    examples,
    files,
    garbage,
    queries,
    running,
    serving,
    stores,
    upgrade,
    users,
    workspaces,
)
from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import Version
from mlflow_compose.result import Result

app = typer.Typer(
    name="mlflow-compose",
    help="Run a complete MLflow stack from one .env file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(files.app)
app.add_typer(running.app)
app.add_typer(stores.app)
app.add_typer(backup.app)
app.add_typer(garbage.app)
app.add_typer(upgrade.app)
app.add_typer(connect.app)
app.add_typer(queries.app)
app.add_typer(completion.app)
app.add_typer(diagram.app)
app.add_typer(serving.app)
app.add_typer(boot.app, name="service")
app.add_typer(users.app, name="user")
classroom.app.add_typer(class_page.app)
app.add_typer(classroom.app, name="class")
app.add_typer(capacity.app)
app.add_typer(workspaces.app, name="workspace")
app.add_typer(dvc.app, name="dvc")
app.add_typer(examples.app)
app.add_typer(bundle.app)


def _version(ctx: typer.Context, wanted: bool) -> None:  # noqa: FBT001 - the signature is typer's
    if wanted:
        context_of(ctx).show(Result(Version(__version__), [f"mlflow-compose {__version__}"]))


@app.callback(epilog="Example: mlflow-compose init && mlflow-compose up")
def options(
    ctx: typer.Context,
    env_file: Annotated[
        Path,
        # typer does not check the file: reading it gives better errors.
        typer.Option(
            metavar="FILE",
            help="Env file of the stack; the stack's files are next to it.",
            readable=False,
        ),
    ] = Path(".env"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of text.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Suppress progress output.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Run a complete MLflow stack from one .env file."""
    # The console already has --json and --quiet, to report errors of the command line.
    del as_json, quiet, version
    if env_file == Path():
        raise UsageError("--env-file takes the path of a file")
    context_of(ctx).env_file = env_file
