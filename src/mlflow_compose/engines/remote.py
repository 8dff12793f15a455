"""Run modules of this package inside a service, and read what they report."""

import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import IO, Any, TypeVar

from mlflow_compose.engines.answers import Reader, RemoteError, shaped
from mlflow_compose.engines.base import Engine, SharedFolder
from mlflow_compose.engines.inside import answer, s3

# This package is not installed there: the modules are created from their sources.
LOADER = """
import gc, json, sys, types
# Imports allocate a lot and free little.
gc.disable()
given = json.load(sys.stdin)
for name, source in given["modules"].items():
    package, _, last = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), last, module)
    exec(compile(source, name, "exec"), module.__dict__)
answer = sys.modules["mlflow_compose.engines.inside.answer"]
gc.enable()
answer.exit_on_signals()
answer.serve(module.main, given["request"])
"""
# Sent before all other modules.
COMMON = (answer, s3)
# Characters at the end of a crash's message that are kept.
LONGEST_MESSAGE = 1000
T = TypeVar("T")


def run_modules(  # noqa: PLR0913 - independent options
    engine: Engine,
    modules: Sequence[ModuleType],
    request: Mapping[str, Any],
    shape: type[T],
    *,
    service: str = "mlflow",
    folder: SharedFolder | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
    on_item: Callable[[Any], None] = lambda _: None,
) -> T:
    """Call `main` of the last module inside a service, and return its result.

    Args:
        engine: Engine of the stack.
        modules: Modules, each after those that it imports. They import only each other,
            `engines.inside`, and what the service's image has.
        request: Argument of `main`, as JSON values.
        shape: Type of its result: a dataclass, or another that pydantic knows.
        service: Name of a service whose image has Python.
        folder: Folder of this machine that is shared with them.
        on_progress: Called with each text that they report, without secrets.
        on_item: Called with each part of the result that they report.

    Raises:
        RemoteError: They could not do their work, or their answer is not in the format.
    """
    mask = engine.stack.mask
    reader = Reader(on_progress, on_item, mask)
    command = ["python", "-c", LOADER]
    with _input_file(modules, request) as stdin:
        outcome = engine.run(service, command, stdin=stdin, folder=folder, on_output=reader.read)
    if reader.done and not reader.failed and not outcome.exit_code:
        return shaped(reader.done[0], shape)
    # Shortened without secrets, of which no part must remain.
    failure = mask(replace(outcome, stdout=reader.other).failure)[-LONGEST_MESSAGE:]
    facts = reader.failed or {"message": failure}
    raise RemoteError(facts["message"], facts)


@contextmanager
def _input_file(modules: Sequence[ModuleType], request: Mapping[str, Any]) -> Iterator[IO[bytes]]:
    """Provide the loader's input as a file; Linux limits one argument of a command to 128 KiB."""
    with tempfile.TemporaryFile() as file:
        file.write(sent(modules, request))
        file.seek(0)
        yield file


def sent(modules: Sequence[ModuleType], request: Mapping[str, Any]) -> bytes:
    """Return what the loader reads: the sources of modules by name, and the request."""
    sources = {module.__name__: inspect.getsource(module) for module in [*COMMON, *modules]}
    return json.dumps({"modules": sources, "request": request}).encode()
