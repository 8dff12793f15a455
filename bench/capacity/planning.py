"""What `plan --users` should assume: the constants that follow from results."""

from bench.capacity.results import Results

KINDS = ("create", "params", "metric", "finish", "search")
# Field of a `RequestCost`: the figure of a kind of request, and its unit in that of the field.
FIELDS = {
    "server": ("mlflow_cpu", 0.001),
    "database": ("postgres_cpu", 0.001),
    "traffic": ("bytes", 1),
}


def planned(results: Results, engine: str) -> dict[tuple[str, str], float]:
    """Return the fields of each `RequestCost` that were measured on an engine."""
    found = results.values[engine]
    return {
        (kind, field): found[f"{kind}_{figure}"] * unit
        for kind in KINDS
        for field, (figure, unit) in FIELDS.items()
    }
