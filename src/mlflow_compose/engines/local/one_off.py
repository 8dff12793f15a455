"""Run a command once, with what a service has."""

import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlflow_compose.engines.base import Outcome


def run_once(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
) -> Outcome:
    """Run a command to its end.

    Args:
        command: That is run.
        folder: In which it is run.
        environ: All that it gets.
        on_line: Is called with each line of standard output; then only the last one is kept.
    """
    lines: deque[str] = deque(maxlen=1 if on_line else None)
    # Errors go to a file: a full pipe that nobody reads would stop it.
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    lines.append(line.rstrip("\n"))
                    if on_line:
                        on_line(lines[-1])
            except BaseException:
                # It is waited for in any case, and what it does is of no use any more.
                process.kill()
                raise
        errors.seek(0)
        return Outcome(process.returncode, "\n".join(lines), errors.read())
