"""The teacher's table of all seats."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field

from mlflow_compose.classroom.access import Access
from mlflow_compose.classroom.cells import BOM, cell

HEADINGS = ("seat", "names", "email", "address", "user", "password", "experiment")


@dataclass(frozen=True)
class Row:
    """A row of the table; its cells are in the order of HEADINGS."""

    seat: str
    names: str
    emails: str
    url: str
    user: str
    password: str = field(repr=False)
    experiment: str


def rows_of(accesses: Sequence[Access]) -> Iterator[Row]:
    """Yield a row for each seat."""
    for access in accesses:
        emails = ", ".join(person.email for person in access.people if person.email)
        yield Row(
            access.seat,
            access.names,
            emails,
            access.url,
            access.user,
            access.password,
            access.experiment,
        )


def table_csv(accesses: Sequence[Access]) -> str:
    """Return the table as CSV that a spreadsheet reads, and never runs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADINGS)
    writer.writerows(map(cell, astuple(row)) for row in rows_of(accesses))
    return BOM + text.getvalue()
