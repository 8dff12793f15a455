"""Count the data of a stack, in MLflow's environment; MLflow itself may be down."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow_compose.checks.probe import artifacts, database
from mlflow_compose.checks.probe.links import BrokenLink, Request
from mlflow_compose.engines.inside.answer import Failure

SQLITE = "sqlite:///"
# Excludes what `up` creates: MLflow's default experiment and the first admin.
COUNTED: Mapping[str, tuple[str, str]] = {
    "experiments": (
        "experiments",
        """
        SELECT count(*) FROM experiments e WHERE e.experiment_id <> 0
        OR EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = e.experiment_id)
        OR EXISTS (SELECT 1 FROM trace_info t WHERE t.experiment_id = e.experiment_id)
        """,
    ),
    "runs": ("runs", "SELECT count(*) FROM runs"),
    "models": ("registered_models", "SELECT count(*) FROM registered_models"),
    "users": ("users", "SELECT count(*) - 1 FROM users"),
}
# Tables that have rows after the first start.
INITIALLY_FILLED = frozenset(
    {"alembic_version", "alembic_version_auth", "workspaces", "experiments", "users"}
)


def count(request: Request) -> dict[str, int]:
    """Return the number of rows by kind, and of objects."""
    return {**rows(request), "objects": sum(1 for _ in objects(request))}


def rows(request: Request) -> dict[str, int]:
    """Count rows of the database."""
    from sqlalchemy import inspect, text

    uri = request["backend"]
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists():
        # Connecting would create it.
        return {}
    with database.connect(request) as connection:
        tables = {*inspect(connection).get_table_names()}

        def number(query: str) -> int:
            return int(connection.execute(text(query)).scalar_one())

        found = {kind: number(query) for kind, (table, query) in COUNTED.items() if table in tables}
        if any(found.values()):
            return found
        # Webhooks, gateway keys, datasets and so on.
        others = sorted(tables - INITIALLY_FILLED)
        return {**found, "rows": sum(number(f'SELECT count(*) FROM "{each}"') for each in others)}  # noqa: S608 - from the database's catalogue


def objects(request: Request) -> Iterator[Any]:
    """Yield every artifact."""
    if folder := request["folder"]:
        for _, _, files in os.walk(folder):
            yield from files
        return
    pages = artifacts.client().get_paginator("list_objects_v2").paginate(Bucket=request["bucket"])
    listed = iter(pages)
    while True:
        try:
            page = artifacts.call_s3(lambda: next(listed, None))
        except BrokenLink as error:
            if error.cause == "bucket_missing":
                return
            raise
        if page is None:
            return
        yield from page.get("Contents", [])


def main(request: Request) -> dict[str, int]:
    """Return the counts by kind."""
    try:
        return count(request)
    except BrokenLink as error:
        raise Failure(str(error)) from error
