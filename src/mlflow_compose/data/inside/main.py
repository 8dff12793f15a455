"""What is asked for from outside, by name; each line that is printed is one JSON object."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside import objects, tables
from mlflow_compose.data.inside.merge import Merge
from mlflow_compose.data.inside.row_mapping import RowMapping
from mlflow_compose.data.inside.store import open_source, passed_over
from mlflow_compose.data.inside.table_groups import KINDS, OWN_TO_A_SERVER

Request = Mapping[str, Any]


def tell(**line: object) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell what is being done."""
    tell(progress=text)


def merge(request: Request) -> dict[str, Any]:
    """Bring a source's rows, and count them in the stack."""
    mapping = RowMapping(request["root"], everything_moves=request["kind"] == "server")
    given = Path(os.environ["GIVEN_FOLDER"])
    target = tables.open_database(request["backend"])
    with tempfile.TemporaryDirectory(prefix="import-") as scratch:
        source = open_source(request["kind"], given, Path(scratch).resolve(), say)
        damaged = passed_over(source, given) if request["kind"] == "folder" else []
        theirs, ours = tables.reflected(source), tables.reflected(target)
        with source.connect() as reading:
            first = Merge(reading, theirs, ours, mapping, write=True)
            first.walk(target, say)
            left = noted(mapping)
            say("comparing")
            second = Merge(reading, theirs, ours, mapping, write=False)
            second.walk(target, lambda _: None)
            left += [*damaged, *second.conflicts.left, *others(reading, theirs)]
        source.dispose()
    for old, new in mapping.places.items():
        tell(place=[old, new])
    return {
        "source": second.source,
        "before": first.there,
        "after": second.there,
        "left": left,
    }


def noted(mapping: RowMapping) -> list[str]:
    """Return what could not be brought as it was, in words."""
    stay = mapping.elsewhere.items()
    return [
        *(f"artifacts of {number} runs or models: they stay in {place}" for place, number in stay),
        *(f"{number} values of {name} were cut" for name, number in mapping.cut.items()),
    ]


def others(reading: Any, theirs: Any) -> list[str]:
    """Return what nobody brings, in words."""
    names = set(theirs.tables) - set(KINDS) - set(OWN_TO_A_SERVER)
    counted = {name: tables.count(reading, theirs.tables[name]) for name in sorted(names)}
    return [f"{number} rows of table {name}" for name, number in counted.items() if number]


def artifacts(request: Request) -> dict[str, Any]:
    """List what the stack holds below some prefixes."""
    for prefix in request["prefixes"]:
        found = objects.listed(request["bucket"], request["folder"], prefix)
        for batch in objects.batches(found):
            tell(objects=batch)
    return {}


ACTIONS: Mapping[str, Callable[[Request], dict[str, Any]]] = {
    "merge": merge,
    "artifacts": artifacts,
}


def main(argument: str) -> None:
    """Do what is asked for; the last line is the outcome."""
    from sqlalchemy.exc import DBAPIError

    request = json.loads(argument)
    try:
        tell(done=ACTIONS[request["action"]](request))
    except tables.CopyError as error:
        tell(error=str(error))
    except DBAPIError as error:
        # Its own text has the rows in it.
        tell(error=f"the database refuses it: {' '.join(str(error.orig).split())}")
