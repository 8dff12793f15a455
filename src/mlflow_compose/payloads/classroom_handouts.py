"""What `class handout` and `plan` print."""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
class CapacityFound:
    """`plan`."""

    seats: int = key("Seats that this machine can have besides what runs on it now.")
    seats_by: Mapping[str, int] = key("The same by `memory`, `processors` and `disk` alone.")
    limit: str = key("What it lacks first: `memory`, `processors` or `disk`.")
    memory_available: int = key("Bytes of memory that are available now.")
    memory_total: int = key("Bytes of memory that this machine has.")
    cores: int = key("Processor cores.")
    disk_free: int = key("Free bytes on the disk of the stack's folder.")
    wanted: int | None = key("Value of `--seats`, null without it.")
    fits: bool | None = key("Whether that many seats fit, null without `--seats`.")
    needs: Mapping[str, int] | None = key(
        "What a machine for that many seats needs: `memory` and `disk` in bytes, `cores`; null "
        "without `--seats`."
    )
    start_seconds: int = key("How long the start of these seats takes here, about.")
