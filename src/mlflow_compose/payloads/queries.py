"""What `sql` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class QueryResult:
    """`sql`."""

    columns: Sequence[str] = key("Names of the columns.")
    rows: Sequence[Sequence[str | int | float | bool | None]] = key(
        "Rows: numbers, texts and null; other types, and floats that JSON does not have, as text."
    )
    more: bool = key("Whether there are more rows than `--limit`.")


@dataclass(frozen=True)
class QueryList:
    """`sql --list`."""

    queries: Mapping[str, str] = key("Question that it answers, by the query's name.")
    tables: Sequence[str] = key("Tables that can be read.")
