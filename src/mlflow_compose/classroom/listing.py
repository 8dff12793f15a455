"""The seats of a class as a table for a terminal."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from mlflow_compose.classroom.board import CHANGING, HEALTHY, SeatState

COLUMNS = ("", "seat", "state", "runs", "last activity", "storage", "names")
# Places of the columns of numbers, which are aligned at the right.
NUMBERS = frozenset({3, 5})
UNKNOWN = "-"
UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
TENS = 10
SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


def table(states: Sequence[SeatState], now: datetime) -> Iterator[str]:
    """Yield the lines of the table.

    Args:
        states: The seats.
        now: The current time.
    """
    rows = [COLUMNS, *(_cells(one, now) for one in states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text.rjust(width) if place in NUMBERS else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _cells(one: SeatState, now: datetime) -> Sequence[str]:
    sign = "" if one.health == HEALTHY else "…" if one.health in CHANGING else "!"
    runs = UNKNOWN if one.runs is None else str(one.runs)
    names = "" if one.names == one.seat else one.names
    last = _ago(one.last_activity, now)
    return (sign, one.seat, one.health, runs, last, _size(one.storage), names)


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return UNKNOWN
    seconds = (now - moment).total_seconds()
    for span, unit in SPANS:
        if seconds >= span:
            return f"{seconds // span:.0f} {unit} ago"
    return "just now"


def _size(size: int | None) -> str:
    if size is None:
        return UNKNOWN
    for unit, factor in UNITS:
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}" if value < TENS else f"{value:.0f} {unit}"
    return f"{size} B"
