"""Run commands and measure how long they take."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from bench.processes import tree

TOOL = Path(sys.executable).with_name("mlflow-compose")
IMAGES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "MINIO_IMAGE")
# Variables that would change what is measured.
PREFIXES = ("MLFLOW_", "PG_", "POSTGRES_", "MINIO_", "STACK_", "COMPOSE_", "S3_")
REPEATS = 3


class BenchError(Exception):
    """The benchmark cannot go on: one sentence, and a hint in a second line."""


class CommandError(BenchError):
    """A command failed."""


class StillRunningError(CommandError):
    """A stack could not be stopped, so its files must stay."""


def run_program(main: Callable[[], None]) -> None:
    """Run a program; an error is a sentence, and a signal an exit code."""
    try:
        main()
    except BenchError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt as end:
        sys.exit(128 + getattr(end, "number", signal.SIGINT))


def environment() -> dict[str, str]:
    """Return this process's environment, apart from settings of a stack."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in IMAGES or not name.startswith((*PREFIXES, "PYTHONDONTWRITEBYTECODE"))
    }


def tool(*arguments: str) -> str:
    """Run mlflow-compose and return its output."""
    return run(str(TOOL), *arguments)


def run(*argv: str, environ: Mapping[str, str] | None = None, text: str = "") -> str:
    """Run a command with a text as its input, and return its output.

    If this process is interrupted, the command ends first: what it is starting would otherwise
    outlive the cleanup.
    """
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), **(environ or {})},
    ) as process:
        try:
            output, errors = process.communicate(text)
        except BaseException:
            # All of them: the docker command runs Compose as a separate process.
            for one in tree(process.pid):
                with suppress(psutil.NoSuchProcess):
                    one.terminate()
            # It may still write, so wait() could block both.
            process.communicate()
            raise
    if process.returncode:
        raise CommandError(f"{' '.join(argv)} failed:\n{output}{errors}")
    return output


def seconds(action: Callable[[], object]) -> float:
    """Return the duration of an action in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_seconds(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median duration of an action in seconds."""
    return statistics.median(seconds(action) for _ in range(repeats))


def free_ports(count: int) -> list[int]:
    """Return free ports of this machine, which the system chooses."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
