"""What `class handout` prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class SeatHandout:
    """The hand-out of a seat; its files have the password."""

    seat: str = key("Name of the seat.")
    names: str = key("Names of its people, or of the seat if they are not known.")
    url: str = key("URL of its tracking server.")
    user: str = key("Name with which its people log in.")
    folder: str = key("Folder of its files.")
    changed: bool = key("Whether its page is new, or changed since hand-outs were last written.")


@dataclass(frozen=True)
class HandedOut:
    """`class handout`."""

    folder: str = key("Folder of all hand-outs.")
    print: str = key("File with the pages of all seats.")
    table: str = key("File with the teacher's table.")
    seats: Sequence[SeatHandout] = key("The seats.")
    removed: Sequence[str] = key("Files of earlier hand-outs that were removed.")
    notes: Sequence[str] = key("What keeps people from using their seats, as sentences.")
