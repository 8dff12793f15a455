"""Find the buckets that artifact locations in the database name."""

from collections import Counter

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request

SCHEME = "s3://"
# Columns with artifact locations, by table; the first one that is set counts.
COLUMNS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("storage_location", "source"),
}


def main(request: Request) -> dict[str, dict[str, int]]:
    """Return the number of artifact locations by bucket."""
    with tables.database_errors():
        return {"buckets": buckets(request["backend"])}


def buckets(backend: str) -> dict[str, int]:
    """Return the number of artifact locations by bucket."""
    from sqlalchemy import func, select

    engine = tables.open_database(backend)
    known = tables.reflected(engine).tables
    found: Counter[str] = Counter()
    with engine.connect() as reading:
        for name, columns in COLUMNS.items():
            # Earlier versions of MLflow have fewer tables and columns.
            present = [known[name].c[column] for column in columns if has(known, name, column)]
            if present:
                # SQLite refuses COALESCE of a single column.
                location = func.coalesce(*present) if present[1:] else present[0]
                query = select(location).where(location.like(f"{SCHEME}%"))
                found.update(bucket_of(row[0]) for row in reading.execute(query))
    return dict(found)


def has(known: dict[str, object], table: str, column: str) -> bool:
    """Tell whether the database has a column."""
    return column in getattr(known.get(table), "columns", ())


def bucket_of(location: str) -> str:
    """Return the bucket of a location."""
    return location.removeprefix(SCHEME).partition("/")[0]
