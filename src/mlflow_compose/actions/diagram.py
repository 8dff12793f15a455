"""`diagram`."""

from pathlib import Path

from mlflow_compose.actions.plan import Plan
from mlflow_compose.diagrams import DIAGRAMS, mermaid
from mlflow_compose.diagrams.mermaid import FIRST_LINE
from mlflow_compose.errors import FilesError
from mlflow_compose.files import write_whole
from mlflow_compose.payloads import Diagram
from mlflow_compose.result import Result

MODE = 0o644


def diagram(plan: Plan, name: str, file: Path | None = None) -> Result:
    """Draw the stack, or the life of a model.

    Args:
        plan: The stack.
        name: What is shown, one of `DIAGRAMS`.
        file: File to write, which may only replace another diagram.

    Raises:
        FilesError: It contains something else, or cannot be written.
    """
    lines = mermaid(DIAGRAMS[name](plan.stack))
    text = "".join(f"{line}\n" for line in lines)
    if not file:
        return Result(Diagram(name, text), lines, is_input=True)
    _replace(file, text)
    return Result(Diagram(name, text, file=str(file)), [f"wrote {file}"])


def _replace(file: Path, text: str) -> None:
    hint = "choose another path for --output"
    try:
        if file.exists() and not file.read_bytes().startswith(FIRST_LINE.encode()):
            raise FilesError(f"{file} exists and is not a diagram of this tool", hint=hint)
        write_whole(file, text, MODE)
    except OSError as error:
        raise FilesError(f"{file} cannot be written: {error.strerror}", hint=hint) from None
