"""Run commands and measure how long they take."""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

TOOL = Path(sys.executable).with_name("mlflow-compose")
IMAGES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "MINIO_IMAGE")
# Variables that would change what is measured.
PREFIXES = ("MLFLOW_", "PG_", "POSTGRES_", "MINIO_", "STACK_", "COMPOSE_", "S3_")
REPEATS = 3


class CommandError(Exception):
    """A command failed."""


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
    """Run a command with a text as its input, and return its output."""
    done = subprocess.run(
        argv,
        input=text,
        capture_output=True,
        text=True,
        env={**environment(), **(environ or {})},
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


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
