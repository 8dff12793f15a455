"""Rows as a table for people."""

from collections.abc import Iterator, Sequence

Value = str | int | float | bool | None
Row = Sequence[Value]
# A longer text would push the next columns off the screen.
WIDEST = 60


def table(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table with aligned columns; numbers are aligned at the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (columns, ["-" * width for width in widths]):
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
    for row, shown in zip(rows, cells, strict=True):
        aligned = (
            text.rjust(width) if isinstance(value, int | float) else text.ljust(width)
            for value, text, width in zip(row, shown, widths, strict=True)
        )
        yield "  ".join(aligned).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
