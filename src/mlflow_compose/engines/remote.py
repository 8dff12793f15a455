"""Run modules of this package inside a service, and read what they report."""

import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import IO, Any

from mlflow_compose.engines.base import Engine, SharedFolder
from mlflow_compose.engines.inside import answer, s3

# This package is not installed there: the modules are created from their sources.
LOADER = """
import json, sys, types
given = json.load(sys.stdin)
for name, source in given["modules"].items():
    package, _, last = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), last, module)
    exec(compile(source, name, "exec"), module.__dict__)
sys.modules["mlflow_compose.engines.inside.answer"].serve(module.main, given["request"])
"""
# Sent before all other modules.
COMMON = (answer, s3)


class RemoteError(Exception):
    """The modules could not do their work; the message gives the reason, without secrets.

    Attributes:
        facts: Facts besides the message.
    """

    def __init__(self, message: str, facts: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.facts = facts


class _Reader:
    """Parse the output of modules, which arrives in chunks of any size."""

    def __init__(self, on_progress: Callable[[str], None], on_item: Callable[[Any], None]) -> None:
        self._on_progress, self._on_item = on_progress, on_item
        self._rest = b""
        self.done: tuple[Any, ...] = ()
        self.failed: Mapping[str, Any] | None = None

    def read(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._parse(line)

    def _parse(self, line: bytes) -> None:
        match _parsed(line):
            case {"progress": str(text)}:
                self._on_progress(text)
            case {"item": value}:
                self._on_item(value)
            case {"failed": {"message": str()} as failed}:
                self.failed = failed
            case {"done": done}:
                self.done = (done,)


def run_modules(  # noqa: PLR0913 - independent options
    engine: Engine,
    modules: Sequence[ModuleType],
    request: Mapping[str, Any],
    *,
    service: str = "mlflow",
    folder: SharedFolder | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
    on_item: Callable[[Any], None] = lambda _: None,
) -> Any:  # noqa: ANN401 - JSON
    """Call `main` of the last module inside a service, and return its result.

    Args:
        engine: Engine of the stack.
        modules: Modules, each after those that it imports. They import only each other,
            `engines.inside`, and what the service's image has.
        request: Argument of `main`, as JSON values.
        service: Name of a service whose image has Python.
        folder: Folder of this machine that is shared with them.
        on_progress: Called with each text that they report.
        on_item: Called with each part of the result that they report.

    Raises:
        RemoteError: They could not do their work.
    """
    reader = _Reader(on_progress, on_item)
    command = ["python", "-c", LOADER]
    with _input_file(modules, request) as stdin:
        outcome = engine.run(service, command, stdin=stdin, folder=folder, on_output=reader.read)
    if reader.done and not outcome.exit_code:
        return reader.done[0]
    facts = reader.failed or {"message": outcome.last_line}
    raise RemoteError(engine.stack.mask(facts["message"]), facts)


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


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        # Not from the modules, such as a library's warning.
        return None
