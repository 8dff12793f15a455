"""Run modules of this package inside a service, and read what they report."""

import inspect
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from types import ModuleType
from typing import IO, Any, Generic, TypeVar

from mlflow_compose.engines.answers import Reader, RemoteError, shaped
from mlflow_compose.engines.base import Engine, SharedFolder
from mlflow_compose.engines.inside import answer, s3, schema
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import end

# This package is not installed there: the modules are created from their sources.
START = """
import contextlib, gc, json, sys, types
# Imports allocate a lot and free little.
gc.disable()
"""
FROM_INPUT = """
# Not as text, which would read on, up to what the modules read themselves.
sources = sys.stdin.buffer.readline()
"""
FROM_ARGUMENTS = """
sources, request = sys.argv[1:]
"""
LOAD = """
for name, source in json.loads(sources).items():
    package, _, last = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), last, module)
    exec(compile(source, name, "exec"), module.__dict__)
answer = sys.modules["mlflow_compose.engines.inside.answer"]
"""
# The work itself reports what is missing.
PREPARE = """
with contextlib.suppress(Exception):
    getattr(module, "prepare", lambda: None)()
"""
READ = """
gc.enable()
answer.exit_on_signals()
request = sys.stdin.buffer.readline()
"""
REPORT_START = """
if request:
    answer.progress("started")
"""
SERVE = """
# Without a request, nothing is to be done any more.
if request:
    answer.serve(module.main, json.loads(request))
"""
CALL = """
gc.enable()
module.main(json.loads(request))
"""
LOADER = START + FROM_INPUT + LOAD + READ + SERVE
WAITING_LOADER = START + FROM_INPUT + LOAD + PREPARE + READ + REPORT_START + SERVE
# For modules that use the standard streams themselves.
ATTACHED_LOADER = START + FROM_ARGUMENTS + LOAD + CALL
RAW_LOADER = START + FROM_INPUT + LOAD + READ + CALL
# Seconds.
ENDS_WITHIN = 10
# Sent before all other modules.
COMMON = (answer, s3, schema)
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
    with input_file(modules, request) as stdin:
        outcome = engine.run(
            service, ("python", "-c", LOADER), stdin=stdin, folder=folder, on_output=reader.read
        )
    return result(reader, outcome, shape, engine.stack.mask)


def attach_modules(
    engine: Engine, modules: Sequence[ModuleType], request: Mapping[str, Any], *, terminal: bool
) -> Outcome:
    """Call `main` of the last module inside MLflow's service, connected to the standard streams.

    Args:
        engine: Engine of the stack.
        modules: Modules as of `run_modules`; together with the request, they are visible in the
            list of processes, and must not be longer than 128 KiB.
        request: Argument of `main`, as JSON values.
        terminal: Whether these streams are a terminal.
    """
    arguments = (json.dumps(_sources(modules)), json.dumps(request))
    command = ("python", "-c", ATTACHED_LOADER, *arguments)
    return engine.attach("mlflow", command, terminal=terminal)


def result(reader: Reader, outcome: Outcome, shape: type[T], mask: Callable[[str], str]) -> T:
    """Return what modules answered; raise a RemoteError if they could not do their work."""
    if reader.done and not reader.failed and not outcome.exit_code:
        return shaped(reader.done[0], shape)
    # Shortened without secrets, of which no part must remain.
    failure = mask(replace(outcome, stdout=reader.other).failure)[-LONGEST_MESSAGE:]
    facts = reader.failed or {"message": failure}
    raise RemoteError(facts["message"], facts)


@contextmanager
def input_file(modules: Sequence[ModuleType], request: Mapping[str, Any]) -> Iterator[IO[bytes]]:
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

    Starting a container and importing libraries takes longer than many a request. The last module
    may have a function `prepare`, which imports what its work needs. `call` sends the request once
    it is known; if there is none, `close` ends them.
    """

    def __init__(self, engine: Engine, modules: Sequence[ModuleType], shape: type[T]) -> None:
        """Start loading."""
        self._engine, self._shape = engine, shape
        self._reader = Reader(self._reported, self._reported, engine.stack.mask)
        self._is_called = self._has_reported = False
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: Outcome | Exception | None = None
        # Lines to send; None ends them.
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._lines.put(_line(_sources(modules)))
        reading, writing = os.pipe()
        self._thread = Thread(target=self._run, args=[os.fdopen(reading, "rb")], daemon=True)
        # A thread of its own: a pipe may be too small for a line that nothing reads yet.
        self._sender = Thread(target=self._send, args=[os.fdopen(writing, "wb")], daemon=True)
        self._thread.start()
        self._sender.start()

    @property
    def has_started_work(self) -> bool:
        """Whether the modules got the request, so that they may have done something."""
        answered = self._reader.done or self._reader.failed is not None
        return self._has_reported or bool(answered)

    def call(self, request: Mapping[str, Any]) -> T:
        """Send the request, and return the result like `run_modules`."""
        self._is_called = True
        self._lines.put(_line(request))
        self._lines.put(None)
        self._thread.join()
        if isinstance(self._ended, Outcome):
            return result(self._reader, self._ended, self._shape, self._engine.stack.mask)
        raise self._ended or RemoteError("the modules were not started")

    def close(self) -> None:
        """End the modules, if they have not ended, and everything that runs them."""
        if not self._is_called:
            self._lines.put(None)
            # Without a request, they end by themselves.
            self._thread.join(ENDS_WITHIN)
        if self._thread.is_alive() and self._process:
            end(self._process)
        self._thread.join()
        self._sender.join(ENDS_WITHIN)

    def _run(self, stdin: IO[bytes]) -> None:
        # Once the modules have ended, nothing reads the pipe any more, and sending fails.
        with stdin:
            try:
                self._ended = self._engine.run(
                    "mlflow",
                    ("python", "-c", WAITING_LOADER),
                    stdin=stdin,
                    on_output=self._reader.read,
                    on_start=self._started,
                )
            except Exception as error:  # noqa: BLE001 - raised again by `call`
                self._ended = error

    def _send(self, requests: IO[bytes]) -> None:
        # That they ended before they read everything is reported by `call`.
        with suppress(BrokenPipeError), requests:
            while line := self._lines.get():
                requests.write(line)
                requests.flush()

    def _started(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def _reported(self, _: object) -> None:
        self._has_reported = True
