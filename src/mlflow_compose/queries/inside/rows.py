"""Report the rows of a query in parts."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from mlflow_compose.engines.inside import answer

BATCH = 500


def report(
    columns: Sequence[str], fetch: Callable[[int], Sequence[Sequence[Any]]], limit: int
) -> bool:
    """Report columns and rows; return whether there are more rows than the limit, 0 for none."""
    answer.item({"columns": [*columns]})
    sent = 0
    while batch := fetch(BATCH):
        part = batch[: limit - sent] if limit else batch
        answer.item({"rows": [[_plain(value) for value in row] for row in part]})
        sent += len(part)
        if len(part) < len(batch):
            return True
    return False


def _plain(value: object) -> object:
    """Return a value as JSON has it: numbers as they are, everything else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        # JSON has no NaN and no infinity.
        return value if value - value == 0 else str(value)
    if isinstance(value, bytes | memoryview):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
