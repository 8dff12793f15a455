"""Who gets a seat: the people of a roster who have none yet, or seats without names."""

from pathlib import Path
from types import MappingProxyType

from mlflow_compose.classroom import Members, members_of, newcomers, numbered
from mlflow_compose.errors import RosterError, UsageError
from mlflow_compose.people import read_roster
from mlflow_compose.result import NoProgress, Progress

MOST = 200
SILENT = NoProgress()


def members_from(
    roster: Path | None,
    count: int | None,
    there: Members = MappingProxyType({}),
    progress: Progress = SILENT,
) -> Members:
    """Return the members of a new class, or of new seats.

    Args:
        roster: CSV file with the names.
        count: Number of seats without names, instead of a roster.
        there: Seats that exist already, whose people are not returned again.
        progress: Receiver of a note about such people.

    Raises:
        UsageError: None of the two is given, or both; or the file cannot be read, or all of
            its people have a seat.
        RosterError: The file is not a roster, or it is too long.
    """
    if (roster is None) == (count is None):
        raise UsageError(
            "give either a roster or --seats", hint="mlflow-compose class create people.csv"
        )
    if roster is None:
        found = numbered(count or 0, there)
    else:
        try:
            people = read_roster(roster.read_bytes(), roster.name)
        except OSError as error:
            raise UsageError(f"{roster} cannot be read: {error.strerror}") from None
        new = newcomers(people, there)
        if not new:
            raise UsageError(
                f"everyone in {roster.name} is in the class already",
                hint="mlflow-compose class up starts their seats; another person of the same name "
                "needs another name, such as Ada B.",
            )
        if known := len(people) - len(new):
            verb = "is" if known == 1 else "are"
            progress.note(f"{known} of {len(people)} people {verb} in the class already")
        found = members_of(new, there)
    if len(total := {*found, *there}) > MOST:
        raise RosterError(f"a class has at most {MOST} seats, got {len(total)}")
    return found
