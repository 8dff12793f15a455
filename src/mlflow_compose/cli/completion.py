"""Shell completion: of commands, options, their choices, and the services of a stack."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from mlflow_compose.cli.context import Context, choices, context_of
from mlflow_compose.console import PROGRAM
from mlflow_compose.errors import MlflowComposeError, UsageError

app = typer.Typer()
SHELLS = ("bash", "zsh", "fish")
# Set by the shell's script when it asks; the value names the shell.
VARIABLE = "_MLFLOW_COMPOSE_COMPLETE"


@app.command(epilog='Example: eval "$(mlflow-compose completion bash)"')
def completion(
    ctx: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script that makes a shell complete commands."""
    from typer._completion_shared import get_completion_script

    from mlflow_compose.payloads import Completion
    from mlflow_compose.result import Result

    if shell not in SHELLS:
        raise UsageError(f"the shell must be {choices(*SHELLS)}, got {shell}")
    script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell).strip()
    context_of(ctx).show(Result(Completion(script), script.splitlines(), is_input=True))


def answer(command: Any, context: Context, instruction: str) -> int:  # noqa: ANN401 - typer's
    """Answer a shell that asks for completions; return the exit code."""
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    completion_init()
    return shell_complete(command, {"obj": context}, PROGRAM, VARIABLE, instruction)


def among(*names: str) -> Callable[[str], Sequence[str]]:
    """Return a completion of one of these names."""

    def complete(incomplete: str) -> Sequence[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def services(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """Complete the services of the stack in the current folder; none without a stack."""
    try:
        stack = context_of(ctx).plan().stack
    except (MlflowComposeError, OSError):
        # A shell that completes must stay silent; the command itself reports what is wrong.
        return ()
    return [service.name for service in stack.services if service.name.startswith(incomplete)]
