"""Merge a source into the stack's database, and list the stack's artifacts."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside import listing, tables
from mlflow_compose.data.inside.damaged import find_damaged
from mlflow_compose.data.inside.merge import Merge
from mlflow_compose.data.inside.row_mapping import DEFAULT_WORKSPACE, RowMapping
from mlflow_compose.data.inside.scratch import scratch_folder
from mlflow_compose.data.inside.store import RUNS, known_keys, open_source
from mlflow_compose.data.inside.table_groups import KINDS, SERVER_TABLES
from mlflow_compose.engines.inside.answer import Failure, Request, item, progress

# The imported tables whose rows are in a workspace; those of others refer to them.
WITH_WORKSPACE = ("experiments", "registered_models")
OBJECTS_PER_ITEM = 500


def merge(request: Request) -> dict[str, Any]:
    """Merge a source's rows and count them in the stack."""
    mapping = RowMapping(
        request["root"],
        move_all=request["kind"] == "server",
        workspaces=request["workspaces"],
    )
    staged = Path(os.environ["SHARED_FOLDER"])
    target = tables.open_database(request["backend"])
    with scratch_folder() as scratch:
        source = open_source(request["kind"], staged, scratch, progress)
        is_folder = request["kind"] == "folder"
        damaged = find_damaged(staged / RUNS, known_keys(source)) if is_folder else []
        source_schema, target_schema = tables.reflected(source), tables.reflected(target)
        with source.connect() as reading:
            provide_workspaces(reading, source_schema, target, are_on=request["workspaces"])
            first = Merge(reading, source_schema, target_schema, mapping, write=True)
            first.walk(target, progress)
            # Before the second pass, which counts the same rows again.
            skipped = adjustments(mapping)
            progress("comparing")
            second = Merge(reading, source_schema, target_schema, mapping, write=False)
            second.walk(target, lambda _: None)
            skipped += [*second.conflicts.skipped, *unsupported(reading, source_schema)]
        source.dispose()
    for old, targets in mapping.locations.items():
        item({"location": [old, sorted(set(targets.values()))]})
    for text in skipped:
        item({"skipped": text})
    return {
        "source": second.source,
        "before": first.existing,
        "after": second.existing,
        "lost": {"damaged entries": damaged, "model versions' artifacts": unmoved(mapping)},
    }


def provide_workspaces(reading: Any, source_schema: Any, target: Any, *, are_on: bool) -> None:
    """Create the source's workspaces in the stack.

    Raises:
        Failure: The stack has none; MLflow would hide what is in them, or not start.
    """
    found: set[str] = set()
    for name in WITH_WORKSPACE:
        table = source_schema.tables[name]
        query = table.select().with_only_columns(table.c.workspace).distinct()
        found |= {*reading.execute(query).scalars()} - {None, DEFAULT_WORKSPACE}
    if found and not are_on:
        names = ", ".join(sorted(found))
        raise Failure(f"its data is in the workspaces {names}, and the stack has none", off=True)
    if found:
        about = {
            row["name"]: row["description"]
            for row in tables.rows(reading, source_schema.tables["workspaces"])
        }
        new = [{"name": name, "description": about.get(name)} for name in sorted(found)]
        with target.begin() as writing:
            workspaces = tables.reflected(target).tables["workspaces"]
            tables.insert_missing(writing, workspaces, new)


def adjustments(mapping: RowMapping) -> list[str]:
    """Describe what could not be imported unchanged."""
    external, truncated = mapping.external.items(), mapping.truncated.items()
    return [
        *(
            f"artifacts of {number} runs or models: they stay in {root}"
            for root, number in external
        ),
        *(f"{number} values of {name} were truncated" for name, number in truncated),
    ]


def unmoved(mapping: RowMapping) -> list[str]:
    """Describe model versions that still refer to artifacts that only the source can reach."""
    return [
        f"the artifacts of version {version} of model {name}: they belong to no run or logged "
        f"model, so the version still refers to {location}"
        for (name, version), location in sorted(mapping.unmoved.items())
    ]


def unsupported(reading: Any, source_schema: Any) -> list[str]:
    """Describe tables that are never imported."""
    names = set(source_schema.tables) - set(KINDS) - set(SERVER_TABLES)
    counted = {name: tables.count(reading, source_schema.tables[name]) for name in sorted(names)}
    return [f"{number} rows of table {name}" for name, number in counted.items() if number]


def artifacts(request: Request) -> dict[str, Any]:
    """List the stack's artifacts below some prefixes."""
    for prefix in request["prefixes"]:
        found = listing.list_objects(request["bucket"], request["folder"], prefix)
        for chunk in tables.chunks(found, OBJECTS_PER_ITEM):
            item({"objects": chunk})
    return {}


ACTIONS: Mapping[str, Callable[[Request], dict[str, Any]]] = {
    "merge": merge,
    "artifacts": artifacts,
}


def main(request: Request) -> dict[str, Any]:
    """Run the action that the request names."""
    with tables.database_errors():
        return ACTIONS[request["action"]](request)
