"""How many plain stacks, and how many seats, fit in a machine's memory."""

import statistics
from collections.abc import Mapping
from pathlib import Path

from bench.classroom.results import Results
from bench.report import from_json
from bench.subjects import PLAIN

# Memory of the plain stack after load, which `make bench` publishes.
PLAIN_MEMORY = "memory_loaded"


def plain_memory(published: Path) -> float:
    """Return the published memory of the plain stack in MB."""
    report = from_json(published.read_text(encoding="utf-8"))
    return statistics.median(report.of(PLAIN_MEMORY, PLAIN))


def fitting(results: Results, engine: str, plain: float) -> Mapping[str, int]:
    """Return how many fit, by figure; empty if memory was not measured.

    Args:
        results: What was measured.
        engine: Engine that the class ran on.
        plain: Memory of a plain stack in MB.
    """
    common = results.of("memory_shared_used", engine)
    seat, everything = results.of("memory_seat_used", engine), results.of("memory_all_used", engine)
    if common is None or seat is None or everything is None:
        return {}
    machine = int(results.machine["memory_gib"]) * 1024
    return {
        "plain_fit": int(machine / plain),
        "plain_equal": int(everything / plain),
        "seats_fit": int((machine - common) / seat),
    }
