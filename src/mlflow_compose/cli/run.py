"""The process around the commands."""

import io
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import typer

from mlflow_compose.cli.app import app
from mlflow_compose.cli.completion import VARIABLE, answer
from mlflow_compose.cli.context import Context
from mlflow_compose.cli.signals import cancelled_by, raise_signals
from mlflow_compose.console import PROGRAM, Console
from mlflow_compose.errors import Cancelled, FilesError, MlflowComposeError, UsageError
from mlflow_compose.machine import is_unwritable
from mlflow_compose.payloads import Help
from mlflow_compose.result import Result
from mlflow_compose.streams import open_streams

FLAGS = ("--json", "--quiet")
ENV_FILE = "--env-file"
HELP = "--help"


def main() -> None:
    """Run the command line and end the process with its exit code."""
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        # Characters that the terminal's encoding lacks are replaced; that is no reason to fail.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if instruction := os.environ.get(VARIABLE):
        console = Console(sys.stdout, sys.stderr, os.environ, as_json=False, quiet=True)
        context = Context(console=console, environ=os.environ, command="completion")
        sys.exit(answer(typer.main.get_command(app), context, instruction))
    sys.exit(run(sys.argv[1:], on_begin=raise_signals))


def run(argv: Sequence[str], on_begin: Callable[[], None] = lambda: None) -> int:
    """Run one command line; return the exit code.

    Args:
        argv: Command line.
        on_begin: Called after all imports and before the work begins: some modules would swallow
            an exception that a signal raises while they are imported.
    """
    given, rest = hoist(argv)
    console = Console(
        sys.stdout, sys.stderr, os.environ, as_json="--json" in given, quiet="--quiet" in given
    )
    console.program = program(sys.argv[0], given)
    command = next((word for word in rest if not word.startswith("-")), "mlflow-compose")
    context = Context(console=console, environ=os.environ, command=command)
    try:
        if not argv or {HELP, "-h"} & {*rest}:
            return _help([*given, *rest] or [HELP], context)
        return _invoke([*given, *rest], context, on_begin)
    except MlflowComposeError as error:
        return console.fail(command, error)
    except KeyboardInterrupt as end:
        return console.fail(command, cancelled_by(end))
    except typer.Abort:
        return console.fail(command, Cancelled("interrupted"))
    except OSError as error:
        # A full disk is not a bug, wherever the error occurs.
        if not is_unwritable(error):
            raise
        where = error.filename or "a file"
        return console.fail(command, FilesError(f"{where} cannot be written: {error.strerror}"))


def program(called: str, given: Sequence[str]) -> str:
    """Return the tool's command as the user typed it, with the same env file."""
    script = Path(called)
    command = [PROGRAM]
    if script.name == PROGRAM and shutil.which(PROGRAM) != str(script.absolute()):
        command = [os.path.relpath(script)]
    command += [word for word in given if word.startswith(ENV_FILE)]
    return shlex.join(command)


def hoist(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate global options, which may be anywhere on the command line, from the rest."""
    given: list[str] = []
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument in FLAGS or argument.startswith(f"{ENV_FILE}="):
            given.append(argument)
        elif argument == ENV_FILE:
            # Joined with =: if the value is missing, the command's name must not become the value.
            given.append(f"{ENV_FILE}={next(arguments, '')}")
        elif argument == "--":
            rest += [argument, *arguments]
        else:
            rest.append(argument)
    return given, rest


def _help(arguments: list[str], context: Context) -> int:
    """Print a help text like any other result; typer would write it directly."""
    with redirect_stdout(io.StringIO()) as printed:
        code = _invoke(arguments, context, lambda: None)
    if text := printed.getvalue():
        result = Result(Help(text), text.removesuffix("\n").split("\n"))
        return context.console.show(context.command, result)
    return code


def _invoke(arguments: list[str], context: Context, on_begin: Callable[[], None]) -> int:
    # Not with the command's main, which exits the process.
    command = typer.main.get_command(app)
    try:
        with command.make_context("mlflow-compose", arguments, obj=context) as ctx:
            # Every command needs it, but help does not.
            import mlflow_compose.actions  # noqa: F401

            on_begin()
            command.invoke(ctx)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        raise UsageError(error.format_message().rstrip("."), hint="mlflow-compose --help") from None
    return 0
