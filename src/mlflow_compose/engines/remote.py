"""Run modules of this package inside a service, and read what they report."""

import inspect
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from types import ModuleType
from typing import IO, Any, Generic, TypeVar

from mlflow_compose.engines.answers import Reader, RemoteError, shaped
from mlflow_compose.engines.base import Engine, Outcome, SharedFolder
from mlflow_compose.engines.inside import answer, s3
from mlflow_compose.engines.process import end

# This package is not installed there: the modules are created from their sources.
LOADER = """
import gc, json, sys, types
# Imports allocate a lot and free little.
gc.disable()
for name, source in json.loads(sys.stdin.readline()).items():
    package, _, last = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), last, module)
    exec(compile(source, name, "exec"), module.__dict__)
answer = sys.modules["mlflow_compose.engines.inside.answer"]
getattr(module, "prepare", lambda: None)()
gc.enable()
answer.exit_on_signals()
# Without a request, nothing is to be done any more.
if request := sys.stdin.readline():
    answer.serve(module.main, json.loads(request))
"""
# Seconds.
ENDS_WITHIN = 10
COMMAND = ("python", "-c", LOADER)
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
    reader = Reader(on_progress, on_item, engine.stack.mask)
    with _input_file(modules, request) as stdin:
        outcome = engine.run(service, COMMAND, stdin=stdin, folder=folder, on_output=reader.read)
    return _result(reader, outcome, shape, engine.stack.mask)


def _result(reader: Reader, outcome: Outcome, shape: type[T], mask: Callable[[str], str]) -> T:
    """Return what modules answered; raise a RemoteError if they could not do their work."""
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
    """Return what the loader reads: one line each of the modules and of the request."""
    return _line(_sources(modules)) + _line(request)


def _sources(modules: Sequence[ModuleType]) -> dict[str, str]:
    return {module.__name__: inspect.getsource(module) for module in [*COMMON, *modules]}


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


class Loading(Generic[T]):
    """Modules that are loaded inside of the mlflow service, in the background.

    Starting a container and importing libraries takes longer than many a request. `call` sends the
    request once it is known; if there is none, `close` ends them.
    """

    def __init__(self, engine: Engine, modules: Sequence[ModuleType], shape: type[T]) -> None:
        """Start loading; the modules and the request must fit into the buffer of a pipe."""
        self._engine, self._shape = engine, shape
        self._reader = Reader(lambda _: None, lambda _: None, engine.stack.mask)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: Outcome | Exception | None = None
        reading, writing = os.pipe()
        # Open here until the end: a request that is sent too late must not be an error of its own.
        self._stdin = os.fdopen(reading, "rb")
        self._requests = os.fdopen(writing, "wb", buffering=0)
        self._requests.write(_line(_sources(modules)))
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def call(self, request: Mapping[str, Any]) -> T:
        """Send the request, and return the result like `run_modules`."""
        self._requests.write(_line(request))
        self._requests.close()
        self._thread.join()
        if isinstance(self._ended, Outcome):
            return _result(self._reader, self._ended, self._shape, self._engine.stack.mask)
        raise self._ended or RemoteError("the modules were not started")

    def close(self) -> None:
        """End the modules, if they have not ended, and everything that runs them."""
        if not self._requests.closed:
            self._requests.close()
            # Without a request, they end by themselves.
            self._thread.join(ENDS_WITHIN)
        if self._thread.is_alive() and self._process:
            end(self._process)
        self._thread.join()
        self._stdin.close()

    def _run(self) -> None:
        try:
            self._ended = self._engine.run(
                "mlflow",
                COMMAND,
                stdin=self._stdin,
                on_output=self._reader.read,
                on_start=self._started,
            )
        except Exception as error:  # noqa: BLE001 - raised again by `call`
            self._ended = error

    def _started(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
