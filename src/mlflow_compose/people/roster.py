"""Read a roster: a CSV file with the names of people."""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from anyascii import anyascii

from mlflow_compose.errors import RosterError

COLUMNS = ("name", "email", "team")
# Of email, in headings.
SPELLINGS = ("e-mail", "e-mail address", "email address", "mail")
# Excel writes semicolons where the comma is for decimals.
DELIMITERS = ";\t,"
# Characters of a login: it becomes part of names of databases and buckets, which have 63.
LONGEST = 30
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
ENCODING_HINT = "save it as CSV UTF-8"


@dataclass(frozen=True)
class Person:
    """A person in a roster.

    Attributes:
        name: Name as it is in the roster.
        login: Name that is safe in URLs, names of files, databases and buckets; no other person of
            the roster has it.
        email: Address, empty if there is none.
        team: Team, empty if there is none.
    """

    name: str
    login: str
    email: str = ""
    team: str = ""


def read_roster(content: bytes, name: str) -> list[Person]:
    """Return the people of a CSV file with the columns name, email and team.

    Only names are needed. Without a line of headings, columns have this order, and all that is in
    the second one must be email addresses.

    Args:
        content: Content of the file.
        name: Its name, for errors.

    Raises:
        RosterError: It is not such a file, or has no names.
    """
    rows = _rows(_decoded(content, name), name)
    found = [row for row in _by_column(rows, name) if any(row.values())]
    people: dict[str, Person] = {}
    for number, row in enumerate(found, start=1):
        if not row["name"]:
            raise RosterError(f"{name} has no name in entry {number}: {', '.join(row.values())}")
        login = login_of(row["name"], people.keys())
        people[login] = Person(row["name"], login, row["email"], row["team"])
    if not people:
        raise RosterError(f"{name} has no names", hint="write one name a line")
    return [*people.values()]


def login_of(name: str, taken: Collection[str]) -> str:
    """Return a login for a name: lower-case ASCII letters, digits and hyphens.

    Args:
        name: Name in any script.
        taken: Logins that it must not be.
    """
    # Apostrophes stand for sounds of other scripts, or are part of a name.
    plain = anyascii(name).lower().replace("'", "")
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-")
    base = words if words and words[0].isalpha() else f"u-{words}".strip("-")
    number, found = 1, base
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found


def _decoded(content: bytes, name: str) -> str:
    encoding = "utf-16" if content.startswith(UTF_16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise RosterError(f"{name} is not UTF-8 text", hint=ENCODING_HINT) from None
    if "\0" in text:
        raise RosterError(f"{name} is not a text file", hint=ENCODING_HINT)
    return text


def _rows(text: str, name: str) -> list[Sequence[str]]:
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [[" ".join(cell.split()) for cell in row] for row in reader]
    except csv.Error as error:
        # Such as a field that is too long, after a quote that is never closed.
        raise RosterError(f"{name} is not a CSV file: {error}", hint=ENCODING_HINT) from None


def _by_column(rows: Sequence[Sequence[str]], name: str) -> list[Mapping[str, str]]:
    """Return the cells by column, without the line of headings."""
    headings = [cell.lower() for cell in rows[0]] if rows else []
    if "email" not in headings:
        headings = ["email" if cell in SPELLINGS else cell for cell in headings]
    if "name" not in headings:
        if {*headings} & {*COLUMNS} or any("@" not in row[1] for row in rows if any(row[1:2])):
            raise RosterError(
                f"{name} has no column named name; its first line is {', '.join(rows[0])}",
                hint="a first line such as name,email,team names the columns",
            )
        columns: Sequence[str] = COLUMNS
    # Others, such as empty ones at the end, do not matter.
    elif any(headings.count(column) > 1 for column in COLUMNS):
        raise RosterError(f"{name} has two columns with the same heading")
    else:
        columns, rows = headings, rows[1:]
    empty = dict.fromkeys(COLUMNS, "")
    return [{**empty, **_known(dict(zip(columns, row, strict=False)))} for row in rows]


def _known(row: Mapping[str, str]) -> Mapping[str, str]:
    return {column: cell for column, cell in row.items() if column in COLUMNS}
