"""What `mlflow-compose plan` should assume: the constants that follow from results."""

from collections.abc import Callable, Mapping

from bench.classroom.results import Results
from bench.processes import MEBIBYTE

# The figure of each field, and how it is converted.
FIELDS: Mapping[str, tuple[str, Callable[[float], float]]] = {
    "shared_memory": ("memory_shared_used", lambda value: value * MEBIBYTE),
    "seat_memory": ("memory_seat_used", lambda value: value * MEBIBYTE),
    "start_cpu": ("start_cpu", float),
    "shared_start": ("teacher_answers", float),
    "requests_per_core": ("busy_cpu", lambda value: 1000 / value),
}


def planned(results: Results, engine: str) -> dict[str, float]:
    """Return the fields of `Costs` that were measured on an engine; memory in bytes."""
    measured = {name: results.of(figure, engine) for name, (figure, _) in FIELDS.items()}
    return {name: FIELDS[name][1](value) for name, value in measured.items() if value is not None}
