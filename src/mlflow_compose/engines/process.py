"""Run a command to its end, pass its output on while it runs, and end it with its descendants."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mlflow_compose.engines.base import Output, Start
from mlflow_compose.engines.outcome import SIGNALED, Outcome

if TYPE_CHECKING:
    from psutil import Process

# Bytes of output in memory at a time, however fast the command writes.
CHUNK = 64 * 1024
# Bytes at the end of standard error that are kept.
KEPT_ERRORS = 64 * 1024
# Seconds that processes may take to end after SIGTERM, and between checks.
ENDS_WITHIN, POLL_EVERY = 10, 0.1


def run_process(  # noqa: PLR0913 - independent options
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    on_output: Output | None = None,
    on_start: Start | None = None,
) -> Outcome:
    """Run a command to its end; if that is interrupted, end it and all that it started.

    Args:
        command: Program and arguments.
        folder: Working directory.
        environ: Its complete environment; by default that of this process.
        stdin: File that it reads as standard input.
        on_output: Called with standard output as it arrives; the outcome then has no stdout.
        on_start: Called with the process once it runs.
    """
    chunks: list[bytes] = []
    # Errors go to a file: a pipe that is only read at the end would fill up and block.
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(  # noqa: S603 - a list from this package
            command,
            cwd=folder,
            env=environ,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
        ) as process:
            try:
                if on_start:
                    on_start(process)
                _read(process, on_output or chunks.append)
            except BaseException:
                end(process)
                # Popen itself does not wait after a KeyboardInterrupt.
                process.wait()
                raise
        errors.seek(max(errors.seek(0, os.SEEK_END) - KEPT_ERRORS, 0))
        stderr = errors.read().decode(errors="replace")
    code = process.returncode
    return Outcome(SIGNALED - code if code < 0 else code, b"".join(chunks), stderr)


def attach(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a command with the standard streams of this process, so that it has no output here.

    Args:
        command: Program and arguments.
        folder: Working directory.
        environ: Its complete environment; by default that of this process.
    """
    with (
        _interrupts_left_to_children(),
        subprocess.Popen(command, cwd=folder, env=environ) as process,  # noqa: S603 - a list
    ):
        try:
            code = process.wait()
        except BaseException:
            end(process)
            raise
    return Outcome(SIGNALED - code if code < 0 else code, b"", "")


@contextmanager
def _interrupts_left_to_children() -> Iterator[None]:
    """Ignore Ctrl-C, which the terminal also sends to the children."""
    # Not SIG_IGN, which they would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _read(process: "subprocess.Popen[bytes]", on_output: Output) -> None:
    """Pass on the output of a process until it ends."""
    # Typed as optional, but PIPE guarantees it.
    output = process.stdout
    for chunk in iter(partial(output.read, CHUNK), b"") if output else ():
        on_output(chunk)
    # It may have closed its output long before it ends.
    process.wait()


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that this one started, and its descendants."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        terminate([psutil.Process(process.pid)])


def children() -> set["Process"]:
    """Return all descendants of this process."""
    import psutil

    return _descendants(psutil.Process())


def terminate(processes: Iterable["Process"]) -> None:
    """End processes and their descendants, and return when they have ended.

    The docker command runs Compose as a separate process, which would survive it.
    """
    asked = _suspended(processes)
    _ask(asked)
    deadline = time.monotonic() + ENDS_WITHIN
    while (alive := set(filter(_is_alive, asked))) and time.monotonic() < deadline:
        # A process that handles SIGTERM may still start other ones.
        late = set().union(*map(_descendants, alive)) - asked
        _ask(late)
        asked |= late
        time.sleep(POLL_EVERY)
    kill(_suspended(alive))


def kill(processes: Iterable["Process"]) -> set["Process"]:
    """Kill processes, and return those that are still alive after `ENDS_WITHIN`."""
    import psutil

    killed = set(processes)
    for process in killed:
        with suppress(psutil.Error):
            process.kill()
    return wait_for_end(killed, ENDS_WITHIN)


def wait_for_end(processes: Iterable["Process"], seconds: float) -> set["Process"]:
    """Wait until processes have ended, and return those that are still alive after `seconds`."""
    alive = set(processes)
    deadline = time.monotonic() + seconds
    while (alive := set(filter(_is_alive, alive))) and time.monotonic() < deadline:
        time.sleep(POLL_EVERY)
    return alive


def _ask(processes: Iterable["Process"]) -> None:
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
        with suppress(psutil.Error):
            process.resume()


def _suspended(processes: Iterable["Process"]) -> set["Process"]:
    """Suspend processes and their descendants, so that none starts another one meanwhile."""
    import psutil

    found: set[Process] = set()
    new = set(processes)
    while new:
        for process in new:
            with suppress(psutil.Error):
                process.suspend()
        found |= new
        new = set().union(*map(_descendants, new)) - found
    return found


def _descendants(process: "Process") -> set["Process"]:
    import psutil

    with suppress(psutil.Error):
        return set(process.children(recursive=True))
    return set()


def _is_alive(process: "Process") -> bool:
    import psutil

    try:
        # A zombie has ended, and in a container it may never be collected.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return psutil.pid_exists(process.pid)
