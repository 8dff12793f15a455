"""Measure the stack without Docker."""

from collections.abc import Iterator
from pathlib import Path

import psutil

from measure import MEBIBYTE, free_ports, pss, seconds, tool

# Variables of every process: the stack's id with the service's name, and the folder of the stack.
SERVICE, FOLDER = "STACK_SERVICE", "STACK_FOLDER"
# Number of processes to list individually.
LARGEST = 6


def measure_local(folder: Path) -> None:
    """Start a stack without Docker twice, and print its times and memory."""
    mlflow, s3, database = free_ports(3)
    given = {
        "STACK_ENGINE": "local",
        "MLFLOW_PORT": mlflow,
        "MINIO_PORT": s3,
        "PG_PORT": database,
    }
    env = ("--env-file", str(folder / ".env"))
    tool(*env, "init", *(f"--set={name}={value}" for name, value in given.items()))
    try:
        # The first start may install packages, so the second is the one to compare.
        first = seconds(lambda: tool(*env, "up"))
        tool(*env, "down")
        second = seconds(lambda: tool(*env, "up"))
        memory = {name: pss([process]) for name, process in named(folder)}
        total = pss(process for _, process in named(folder))
    finally:
        tool(*env, "down", "--volumes", "--yes")
    print(f"\nwithout Docker: first up {first:.1f} s, next {second:.1f} s (wanted: 180, 15)")
    print(f"memory (PSS) after verify: {total / MEBIBYTE:.0f} MB (wanted: 900)")
    for name, size in sorted(memory.items(), key=lambda pair: -pair[1])[:LARGEST]:
        print(f"  {size / MEBIBYTE:6.0f} MB  {name}")


def named(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Yield every process of the stack with a descriptive name."""
    for process in psutil.process_iter():
        try:
            environ = process.environ()
        except psutil.Error:
            continue
        if environ.get(FOLDER) == str((folder / "local").resolve()):
            name = environ.get(SERVICE, "").partition("/")[2] or "supervisord"
            yield f"{name} {process.pid}", process
