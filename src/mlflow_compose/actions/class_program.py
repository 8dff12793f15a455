"""`class seed` with a notebook or a script: it runs once for each seat, as its person."""

import ast
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow_compose.actions.class_access import accesses
from mlflow_compose.actions.class_limits import check_running
from mlflow_compose.actions.class_setup import SHARED, Work, check_class
from mlflow_compose.classroom import Access
from mlflow_compose.engines import Engine
from mlflow_compose.errors import ClassError, MlflowComposeError, UsageError
from mlflow_compose.payloads import ClassSeeded
from mlflow_compose.result import Result
from mlflow_compose.stack.seat_stack import seat_stack

NOTEBOOK, SCRIPT = ".ipynb", ".py"
TRACKING = "mlflow"
# The program gets its login in front of its own lines: not in arguments, which others can see.
PREAMBLE = "import os; os.environ.update({values!r})\n"


def is_program(source: str) -> bool:
    """Tell whether a source for seats is a notebook or a script, not a snapshot."""
    return Path(source).suffix in {NOTEBOOK, SCRIPT}


def run_program(work: Work, source: str) -> Result:
    """Run a notebook or a script for each seat, with the packages of its server.

    Args:
        work: The class.
        source: Path of the notebook or the script.

    Raises:
        UsageError: There is no class, it is not running, or the file is not a program.
    """
    check_class(work.plan)
    program = program_of(Path(source))
    engine = work.engine_of(work.plan)
    engine.check()
    check_running(engine)
    errors: list[MlflowComposeError] = []
    found = accesses(work.plan)
    for each in found:
        with work.progress.step(f"Running {Path(source).name} for {each.seat}"):
            if reason := _run(work, engine, each, program):
                errors.append(ClassError(f"{source} failed for {each.seat}: {reason}"))
    done = len(found) - len(errors)
    lines = [f"{Path(source).name} ran for {done} of {len(found)} seats"]
    return Result(ClassSeeded(source, done), lines, errors)


def program_of(path: Path) -> str:
    """Return the Python program of a script or a notebook.

    Raises:
        UsageError: It cannot be read, or has lines that are not Python.
    """
    try:
        text = path.read_text(encoding="utf-8")
        program = text if path.suffix == SCRIPT else cells_of(text)
        ast.parse(program)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except SyntaxError as error:
        raise UsageError(
            f"{path} has a line that is not Python: {(error.text or '').strip()}",
            hint="lines such as %pip and !ls only work in a notebook",
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"{path} is not a notebook, or not UTF-8 text") from None
    return program


def cells_of(text: str) -> str:
    """Return the code of a notebook: https://nbformat.readthedocs.io/en/latest/format_description.html."""
    code = []
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            source: str | Sequence[str] = cell["source"]
            code.append(source if isinstance(source, str) else "".join(source))
    return "\n\n".join(code) + "\n"


def _run(work: Work, engine: Engine, access: Access, program: str) -> str:
    """Run the program for one seat; return why it failed, nothing if it did not."""
    values = _variables(work, access)
    shared = work.plan.loaded.settings.class_mode == SHARED
    with tempfile.TemporaryFile() as stdin:
        stdin.write((PREAMBLE.format(values=values) + program).encode())
        stdin.seek(0)
        service = TRACKING if shared else f"seat-{access.seat}"
        outcome = engine.run(service, ("python", "-"), stdin=stdin)
    return engine.stack.mask(outcome.failure) if outcome.exit_code else ""


def _variables(work: Work, access: Access) -> Mapping[str, str]:
    """Return what MLflow's client has to know inside of a service."""
    plan = work.plan
    stack, settings = plan.stack, plan.loaded.settings
    for seat in settings.seats:
        if seat.name == access.seat:
            stack = seat_stack(stack, settings, seat)
    found = {
        "MLFLOW_TRACKING_URI": stack.site.tracking,
        "MLFLOW_TRACKING_USERNAME": access.user,
        "MLFLOW_TRACKING_PASSWORD": access.password,
    }
    own = {"MLFLOW_WORKSPACE": access.workspace, "MLFLOW_EXPERIMENT_NAME": access.experiment}
    return {**found, **{name: value for name, value in own.items() if value}}
