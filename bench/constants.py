"""What planning a stack needs to know: memory per process, requests per core, bytes per row."""

import json

from bench.report import Report, rounded

DEFAULT, FAST = "default", "fast"


def constants(report: Report) -> dict[str, float]:
    """Return the constants that follow from a report; each name ends in its unit."""
    found = {
        "memory_s3_mib": report.median("memory_s3_loaded", DEFAULT),
        "memory_jupyter_mib": report.median("memory_jupyter_fresh", "jupyter"),
        "memory_postgres_mib": report.median("memory_postgres_loaded", DEFAULT),
        **workers(report),
        **{
            f"memory_stack_{name}_mib": report.median("memory_loaded", name)
            for name in report.subjects
        },
        "log_metric_requests_per_second_per_core": per_core(report),
        "database_per_metric_bytes": report.median("bytes_per_metric", DEFAULT),
        "database_per_run_bytes": report.median("bytes_per_run", DEFAULT),
        "image_without_base_mib": report.median("image", DEFAULT),
    }
    return {name: rounded(value) for name, value in found.items() if value is not None}


def workers(report: Report) -> dict[str, float | None]:
    """Return the memory of MLflow with one worker, and of each further one."""
    few, many = (report.median("workers", name) for name in (DEFAULT, FAST))
    less, more = (report.median("memory_mlflow_loaded", name) for name in (DEFAULT, FAST))
    if not few or not many or not less or not more or few == many:
        return {}
    further = (more - less) / (many - few)
    return {
        "memory_mlflow_first_worker_mib": less - further * (few - 1),
        "memory_mlflow_further_worker_mib": further,
    }


def per_core(report: Report) -> float | None:
    """Return how many metrics per second are logged for each core of the machine."""
    rate = report.median("log_metric_8", DEFAULT)
    return rate / int(report.machine["cores"]) if rate else None


def to_json(report: Report) -> str:
    """Return the constants as JSON."""
    return json.dumps(constants(report), indent=1) + "\n"
