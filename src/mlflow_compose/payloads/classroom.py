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
class SeatsRemoved:
    """`class remove`."""

    seats: Sequence[str] = key("Names of the seats whose runs and artifacts were deleted.")


@dataclass(frozen=True)
class ClassStopped:
    """`class down`."""

    project: str = key("Compose project name.")
    volumes: bool = key("Whether the data was deleted.")
    deleted: Sequence[str] = key("Files of the class that were deleted.")
