"""Run a command to its end, and pass its output on while it runs."""

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from mlflow_compose.engines.base import Outcome, Output

# Bytes of output in memory at a time, however fast the command writes.
CHUNK = 64 * 1024


def run_process(  # noqa: PLR0913 - independent options
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    on_output: Output | None = None,
    before_kill: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run a command to its end; if that is interrupted, kill it.

    Args:
        command: Program and arguments.
        folder: Working directory.
        environ: Its complete environment; by default that of this process.
        stdin: File that it reads as standard input.
        on_output: Called with standard output as it arrives; the outcome then has no stdout.
        before_kill: Called before the command is killed.
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
                # Typed as optional, but PIPE guarantees it.
                output = process.stdout
                for chunk in iter(partial(output.read, CHUNK), b"") if output else ():
                    (on_output or chunks.append)(chunk)
            except BaseException:
                before_kill()
                process.kill()
                raise
        errors.seek(0)
        stderr = errors.read().decode(errors="replace")
    return Outcome(process.returncode, b"".join(chunks), stderr)
