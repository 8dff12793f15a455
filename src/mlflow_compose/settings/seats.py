"""The seats of a class: the notation of CLASS_SEATS."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PORT = 65535
# Characters of a seat's name: with its project, a container's name must fit into a host name.
LONGEST_NAME = 34
RULE = "must be NAME=PORT, separated by spaces, such as ada=5201 alan-t=5202"
_SEAT = re.compile(rf"(?P<name>[a-z][a-z0-9-]{{0,{LONGEST_NAME - 1}}})=(?P<port>\d{{1,5}})")
_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


@dataclass(frozen=True)
class Seat:
    """What one participant of a class, or one team, works with.

    Attributes:
        name: Name of the seat, which is also its login; unique in the class.
        port: Port of its tracking server on this machine.
    """

    name: str
    port: int

    @property
    def service(self) -> str:
        """The name of its service."""
        return f"seat-{self.name}"

    @property
    def text(self) -> str:
        """Its notation in the env file."""
        return f"{self.name}={self.port}"


def seats_of(text: str) -> tuple[Seat, ...]:
    """Return the seats of a value of CLASS_SEATS.

    Raises:
        ValueError: It is not in this notation; the message completes "CLASS_SEATS …".
    """
    seats = tuple(map(_seat, text.split()))
    names, ports = [seat.name for seat in seats], [str(seat.port) for seat in seats]
    for values in (names, ports):
        if doubles := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"must not contain {doubles[0]} twice")
    return seats


def written(seats: Sequence[Seat]) -> str:
    """Return the value of CLASS_SEATS for seats."""
    return " ".join(seat.text for seat in seats)


def seats_text(value: str) -> str:
    """Accept values in the notation of CLASS_SEATS."""
    seats_of(value)
    return value


def port_range(value: str) -> range:
    """Return the ports of a value such as 5201-5400.

    Raises:
        ValueError: It is not such a value; the message completes "CLASS_SEAT_PORTS …".
    """
    found = _PORTS.fullmatch(value)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= first <= last <= MAX_PORT:
        raise ValueError(f"must be FIRST-LAST, such as 5201-5400, got {value}")
    return range(first, last + 1)


def port_range_text(value: str) -> str:
    """Accept ranges of ports."""
    port_range(value)
    return value


def _seat(word: str) -> Seat:
    found = _SEAT.fullmatch(word)
    if not found or not 1 <= int(found["port"]) <= MAX_PORT:
        raise ValueError(RULE)
    return Seat(found["name"], int(found["port"]))
