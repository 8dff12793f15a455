"""Describes the machine, so that results of similar machines can be compared."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from bench.commands import CommandError, run
from mlflow_compose.settings.server import PINNED_MLFLOW

Machine = Mapping[str, str | int]
# Version of a Docker engine that is not running.
NONE = "none"
# What two machines must share for absolute values to be comparable.
CLASS = ("cores", "cpu", "memory_gib")


def this_machine() -> Machine:
    """Return what matters of this machine, without anything that identifies it."""
    return {
        "cores": os.cpu_count() or 1,
        "cpu": cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        "memory_gib": memory_gib(Path("/proc/meminfo").read_text(encoding="utf-8")),
        "kernel": numbers(platform.release()),
        "docker": docker_version(),
        "python": platform.python_version(),
        "mlflow": PINNED_MLFLOW,
    }


def docker_version() -> str:
    """Return the version of the Docker engine, or that there is none."""
    try:
        return numbers(run("docker", "version", "--format", "{{.Server.Version}}"))
    except (CommandError, FileNotFoundError):
        return NONE


def numbers(version: str) -> str:
    """Return the leading numbers of a version: builds have suffixes of their own."""
    found = re.match(r"\d+(\.\d+)*", version)
    return found[0] if found else "unknown"


def cpu_model(cpuinfo: str) -> str:
    """Return the processor's name from /proc/cpuinfo, without trademarks and clock rate."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if not found:
        return platform.machine()
    plain = re.sub(r"\((R|TM|tm)\)|\b(CPU|Processor)\b|@.*|\d+-Core", " ", found[1])
    return " ".join(plain.split())


def memory_gib(meminfo: str) -> int:
    """Return the memory in GiB from /proc/meminfo, rounded."""
    found = re.search(r"^MemTotal:\s*(\d+) kB$", meminfo, re.MULTILINE)
    return round(int(found[1]) / 1024**2) if found else 0
