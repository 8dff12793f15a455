"""How rows are shown: as a table, or as CSV."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.queries.inside.table import Row, table


@dataclass(frozen=True)
class Layout:
    """A way to show rows.

    Attributes:
        lines: Returns the lines of a result, or of a part of one that has only rows.
        limit: Number of rows that are shown unless another is asked for, 0 for all.
        in_parts: Whether parts are shown as they arrive.
        is_for_people: Whether it is read by people instead of programs.
    """

    lines: Callable[[Sequence[str], Sequence[Row]], Iterator[str]]
    limit: int = 0
    in_parts: bool = False
    is_for_people: bool = False


def comma_separated(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield CSV (RFC 4180); a missing value is empty."""
    for row in (*([columns] if columns else []), *rows):
        text = io.StringIO()
        # Python quotes line breaks only if they end lines, too.
        csv.writer(text, lineterminator="\n").writerow(row)
        yield text.getvalue().removesuffix("\n")


def as_json(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield a JSON array with an object for each row."""
    names = [*_distinct(columns)]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    yield from json.dumps(found, indent=2, ensure_ascii=False).splitlines()


def _distinct(columns: Sequence[str]) -> Iterator[str]:
    """Yield the names with a number after those that occur before, as in a join."""
    for place, name in enumerate(columns):
        number = [*columns[: place + 1]].count(name)
        yield name if number == 1 else f"{name}_{number}"


LAYOUTS: Mapping[str, Layout] = {
    "table": Layout(table, limit=1000, is_for_people=True),
    "csv": Layout(comma_separated, in_parts=True),
    "json": Layout(as_json),
}
