"""What `mlflow-compose plan` should assume: the constants that follow from results."""

from bench.classroom.results import Results
from bench.processes import MEBIBYTE


def planned(results: Results, engine: str) -> dict[str, float]:
    """Return the measured fields of `Costs`, of one engine; memory and disk in bytes."""
    value = results.values[engine]
    found = {
        "shared_memory": value["memory_shared_used"] * MEBIBYTE,
        "seat_memory": value["memory_seat_used"] * MEBIBYTE,
        "seat_disk": (value["database_used"] + value["layer"]) * MEBIBYTE,
        "start_cpu": value["start_cpu"],
        "shared_start": value["teacher_answers"],
    }
    if "busy_cpu" in value:
        found["requests_per_core"] = 1000 / value["busy_cpu"]
    return found
