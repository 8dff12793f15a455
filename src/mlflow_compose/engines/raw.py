"""Run modules inside a service whose input or output is bytes, such as the content of files."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from types import ModuleType
from typing import IO, Any, TypeVar

from mlflow_compose.engines.answers import Reader, RemoteError
from mlflow_compose.engines.base import Engine, Output, Start
from mlflow_compose.engines.process import end
from mlflow_compose.engines.remote import LOADER, RAW_LOADER, input_file, result, sent

SERVICE = "mlflow"
T = TypeVar("T")


def run_raw(
    engine: Engine,
    modules: Sequence[ModuleType],
    request: Mapping[str, Any],
    on_output: Output,
    *,
    on_start: Start | None = None,
) -> None:
    """Call `main` of the last module inside MLflow's service, and pass on what it writes.

    Args:
        engine: Engine of the stack.
        modules: Modules as of `run_modules`.
        request: Argument of `main`, as JSON values.
        on_output: Called with standard output as it arrives.
        on_start: Called with the process once it runs.

    Raises:
        RemoteError: `main` raised an exception, or could not be called.
    """
    command = ("python", "-c", RAW_LOADER)
    with input_file(modules, request) as stdin:
        outcome = engine.run(SERVICE, command, stdin=stdin, on_output=on_output, on_start=on_start)
    if outcome.exit_code:
        raise RemoteError(engine.stack.mask(outcome.failure))


def writer(file: IO[bytes]) -> Output:
    """Return a function that writes whole chunks: a pipe may accept only a part of one."""

    def write(chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]

    return write


@contextmanager
def output_of(
    engine: Engine, modules: Sequence[ModuleType], request: Mapping[str, Any]
) -> Iterator[IO[bytes]]:
    """Provide what `run_raw` would pass on, as a file to read from while the modules run."""
    reading, writing = os.pipe()

    def work(started: Start) -> None:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            run_raw(engine, modules, request, writer(sink), on_start=started)

    with _in_background(work), os.fdopen(reading, "rb") as file:
        yield file


@contextmanager
def input_to(
    engine: Engine,
    modules: Sequence[ModuleType],
    request: Mapping[str, Any],
    shape: type[T],
    *,
    on_result: Callable[[T], object] = lambda _: None,
) -> Iterator[IO[bytes]]:
    """Provide a file whose content the last module reads from standard input, and wait for it.

    Args:
        engine: Engine of the stack.
        modules: Modules as of `run_modules`.
        request: Argument of `main`, as JSON values.
        shape: Type of its result.
        on_result: Called with the result.

    Raises:
        RemoteError: They could not do their work.
    """
    reading, writing = os.pipe()
    reader = Reader(lambda _: None, lambda _: None, engine.stack.mask)
    command = ("python", "-c", LOADER)

    def work(started: Start) -> None:
        with os.fdopen(reading, "rb") as stdin:
            outcome = engine.run(
                SERVICE, command, stdin=stdin, on_output=reader.read, on_start=started
            )
        on_result(result(reader, outcome, shape, engine.stack.mask))

    with _in_background(work), os.fdopen(writing, "wb") as file:
        file.write(sent(modules, request))
        yield file


@contextmanager
def _in_background(work: Callable[[Start], None]) -> Iterator[None]:
    """Do some work in a thread while the block runs, and raise its exception afterwards.

    Args:
        work: Called with a function to call with the process that it starts, which is ended if
            the block fails.
    """
    running: list[subprocess.Popen[bytes]] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            work(running.append)
        except Exception as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    except BrokenPipeError:
        # The modules ended before they had read everything; they say why.
        failed.insert(0, RemoteError("the modules ended before they had read everything"))
    except BaseException:
        for process in running:
            end(process)
        raise
    finally:
        thread.join()
    if failed:
        raise failed[-1]
