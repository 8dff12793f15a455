"""The process around the commands."""

import os
import sys
from collections.abc import Sequence

import typer

from mlflow_compose.cli.app import app
from mlflow_compose.cli.context import Context
from mlflow_compose.console import Console, silence_closed_pipe
from mlflow_compose.errors import MlflowComposeError, UsageError

INTERRUPTED = 130
FLAGS = ("--json", "--quiet")
ENV_FILE = "--env-file"


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows another one: no reason to end.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line; return the exit code."""
    arguments = hoist(argv) or ["--help"]
    console = Console(
        sys.stdout,
        sys.stderr,
        os.environ,
        as_json="--json" in arguments[: _globals(arguments)],
        quiet="--quiet" in arguments[: _globals(arguments)],
    )
    context = Context(console=console, environ=os.environ)
    try:
        return _invoke(arguments, context)
    except MlflowComposeError as error:
        console.fail(context.command, error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        silence_closed_pipe()
        return 0


def hoist(argv: Sequence[str]) -> list[str]:
    """Move global options to the front, so that they may stand anywhere on the line."""
    front: list[str] = []
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument in FLAGS or argument.startswith(f"{ENV_FILE}="):
            front.append(argument)
        elif argument == ENV_FILE:
            front += [argument, *([value] if (value := next(arguments, None)) else [])]
        elif argument == "--":
            rest += [argument, *arguments]
        else:
            rest.append(argument)
    return [*front, *rest]


def _globals(arguments: Sequence[str]) -> int:
    """Return how many arguments at the front are global options."""
    count = 0
    while count < len(arguments) and arguments[count].startswith("--"):
        count += 2 if arguments[count] == ENV_FILE else 1
    return count


def _invoke(arguments: list[str], context: Context) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(
            arguments, prog_name="mlflow-compose", standalone_mode=False, obj=context
        )
    except typer.TyperException as error:
        raise UsageError(error.format_message().rstrip("."), hint="mlflow-compose --help") from None
    return int(code or 0)
