"""Who works at which seat: people or teams of a roster, and the file that keeps them."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mlflow_compose.errors import RosterError
from mlflow_compose.people import Person, login_of

# Names that a workspace cannot have (`mlflow/store/workspace/abstract_store.py`).
RESERVED = frozenset({"default", "workspaces", "api", "ajax-api", "static-files"})
# Begins the name of a place that cannot be that of its seat.
SEAT = "seat-"
HEADINGS = ("seat", "name", "email", "team")
# People by the name of their seat, in the order of the roster.
Members = Mapping[str, tuple[Person, ...]]


def newcomers(people: Sequence[Person], members: Members) -> list[Person]:
    """Return the people of a roster who are not at a seat yet, with the same email and team."""
    there = {(who.name, who.email, who.team) for seat in members.values() for who in seat}
    return [who for who in people if (who.name, who.email, who.team) not in there]


def members_of(people: Sequence[Person], there: Members = MappingProxyType({})) -> Members:
    """Return seats for people: one for each person, and one for each team.

    Args:
        people: People of a roster.
        there: Seats that exist already; who is in a team of one of them joins it.
    """
    names = {f"team {who.team}": seat for seat, at in there.items() for who in at if who.team}
    seats: dict[str, list[Person]] = {}
    for person in people:
        # A team and a person may have the same name.
        key = f"team {person.team}" if person.team else f"person {person.login}"
        if key not in names:
            names[key] = login_of(person.team or person.name, {*there, *seats})
        seats.setdefault(names[key], []).append(person)
    return {seat: tuple(found) for seat, found in seats.items()}


def numbered(count: int, taken: Collection[str] = ()) -> Members:
    """Return seats without people, such as seat-01 to seat-30.

    Args:
        count: Number of seats.
        taken: Names of seats that exist already.
    """
    width = max(2, len(str(count)))
    names: list[str] = []
    number = 0
    while len(names) < count:
        number += 1
        if (name := f"s{number:0{width}}") not in taken:
            names.append(name)
    return dict.fromkeys(names, ())


def own_place(seat: str) -> str:
    """Return the name of a seat's workspace or experiment on a server that the class shares."""
    # MLflow's names of workspaces have two characters at least, and some are its own. Seats that
    # begin like the replacements get one, too: no two seats may have the same place.
    needs_other = len(seat) == 1 or seat in RESERVED or seat.startswith(SEAT)
    return f"{SEAT}{seat}" if needs_other else seat


def members_text(members: Members) -> str:
    """Return the text of the file that keeps the members."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    for seat, people in members.items():
        if not people:
            writer.writerow((seat, "", "", ""))
        for person in people:
            writer.writerow((seat, person.name, person.email, person.team))
    return text.getvalue()


def read_members(text: str, name: str) -> Members:
    """Return the members from the file that keeps them.

    Args:
        text: Text of the file.
        name: Its name, for errors.

    Raises:
        RosterError: The file was damaged.
    """
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or tuple(rows[0]) != HEADINGS or any(len(row) != len(HEADINGS) for row in rows):
        raise RosterError(
            f"{name} is damaged: its columns must be {', '.join(HEADINGS)}",
            hint="restore it, or delete it to show seats without names",
        )
    found: dict[str, tuple[Person, ...]] = {}
    for seat, person, email, team in rows[1:]:
        known = found.get(seat, ())
        new = (Person(person, seat, email, team),) if person else ()
        found[seat] = (*known, *new)
    return found
