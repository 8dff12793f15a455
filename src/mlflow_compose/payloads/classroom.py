"""What the commands about a class print."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class ClassSeat:
    """A seat of a class."""

    seat: str = key("Name of the seat, with which its people log in.")
    names: Sequence[str] = key("Names of its people; empty if they are not known.")
    url: str = key("URL of its tracking server.")
    ready: bool = key("Whether it was started.")


@dataclass(frozen=True)
class ClassStarted:
    """`class create`, `class up`, `class add` and `class reset`."""

    mode: str = key("seats or shared.")
    seats: Sequence[ClassSeat] = key("The seats, in the order of the roster.")


@dataclass(frozen=True)
class ClassCollected:
    """`class collect`."""

    folder: str = key("Folder with a snapshot of each seat, or of the server that they share.")
    runs_file: str = key("CSV file with all runs.")
    seats: int = key("Number of seats.")
    runs: int = key("Number of runs in the file.")


@dataclass(frozen=True)
class ClassSeeded:
    """`class seed` with a notebook or a script."""

    program: str = key("The notebook or the script.")
    seats: int = key("Number of seats for which it ran to its end.")


@dataclass(frozen=True)
class SeatFound:
    """The state of a seat of a class."""

    seat: str = key("Name of the seat.")
    names: str = key("Names of its people; the seat's name if they are not known.")
    url: str = key("URL of its tracking server.")
    health: str = key("`healthy`, `starting`, `unhealthy`, or the state in Docker's terms.")
    runs: int | None = key("Number of runs that are not deleted; null if unknown.")
    storage: int | None = key("Bytes of its database and its bucket; null if unknown.")
    last_activity: str | None = key("When it last logged something (ISO 8601); null if never.")


@dataclass(frozen=True)
class ClassStatus:
    """`class status`."""

    seats: Sequence[SeatFound] = key("The seats, in the order of the class.")
    trouble: str | None = key("What is wrong with what all seats share, as a sentence, if it is.")


@dataclass(frozen=True)
class SeatsRemoved:
    """`class remove`."""

    seats: Sequence[str] = key("Names of the seats whose runs and artifacts were deleted.")


@dataclass(frozen=True)
class ClassStopped:
    """`class down`."""

    project: str = key("Compose project name.")
    volumes: bool = key("Whether the data was deleted.")
    deleted: Sequence[str] = key("Files of the class that were deleted.")
