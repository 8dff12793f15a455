"""Merge a source into the stack's database, and list the stack's artifacts."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside import listing, tables
from mlflow_compose.data.inside.merge import Merge
from mlflow_compose.data.inside.row_mapping import RowMapping
from mlflow_compose.data.inside.store import open_source, passed_over
from mlflow_compose.data.inside.table_groups import KINDS, OWN_TO_A_SERVER
from mlflow_compose.engines.inside.answer import Request, item, progress


def merge(request: Request) -> dict[str, Any]:
    """Merge a source's rows and count them in the stack."""
    mapping = RowMapping(request["root"], everything_moves=request["kind"] == "server")
    given = Path(os.environ["SHARED_FOLDER"])
    target = tables.open_database(request["backend"])
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        source = open_source(request["kind"], given, Path(scratch).resolve(), progress)
        damaged = passed_over(source, given) if request["kind"] == "folder" else []
        theirs, ours = tables.reflected(source), tables.reflected(target)
        with source.connect() as reading:
            first = Merge(reading, theirs, ours, mapping, write=True)
            first.walk(target, progress)
            left = noted(mapping)
            progress("comparing")
            second = Merge(reading, theirs, ours, mapping, write=False)
            second.walk(target, lambda _: None)
            left += [*damaged, *second.conflicts.left, *others(reading, theirs)]
        source.dispose()
    for old, new in mapping.places.items():
        item({"place": [old, new]})
    return {
        "source": second.source,
        "before": first.there,
        "after": second.there,
        "left": left,
    }


def noted(mapping: RowMapping) -> list[str]:
    """Describe what could not be imported unchanged."""
    stay = mapping.elsewhere.items()
    return [
        *(f"artifacts of {number} runs or models: they stay in {place}" for place, number in stay),
        *(f"{number} values of {name} were truncated" for name, number in mapping.cut.items()),
    ]


def others(reading: Any, theirs: Any) -> list[str]:
    """Describe what is never imported."""
    names = set(theirs.tables) - set(KINDS) - set(OWN_TO_A_SERVER)
    counted = {name: tables.count(reading, theirs.tables[name]) for name in sorted(names)}
    return [f"{number} rows of table {name}" for name, number in counted.items() if number]


def artifacts(request: Request) -> dict[str, Any]:
    """List the stack's artifacts below some prefixes."""
    for prefix in request["prefixes"]:
        found = listing.listed(request["bucket"], request["folder"], prefix)
        for batch in listing.batches(found):
            item({"objects": batch})
    return {}


ACTIONS: Mapping[str, Callable[[Request], dict[str, Any]]] = {
    "merge": merge,
    "artifacts": artifacts,
}


def main(request: Request) -> dict[str, Any]:
    """Run the action that the request names."""
    with tables.database_errors():
        return ACTIONS[request["action"]](request)
