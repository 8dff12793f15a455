"""How a key of a JSON object is declared, and how an object is written."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from enum import Enum
from typing import Any, Literal


class Absent(Enum):
    """The value of a key that is left out, unlike null."""

    ABSENT = "absent"


ABSENT: Literal[Absent.ABSENT] = Absent.ABSENT


def key(about: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Declare a key, with a sentence about its value."""
    return field(metadata={"about": about})


def optional_key(about: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Declare a key that is left out unless it is set."""
    return field(default=ABSENT, kw_only=True, metadata={"about": about})


def as_json(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a payload as JSON values; keys that are absent are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        found = ((part.name, getattr(value, part.name)) for part in fields(value))
        return {name: as_json(part) for name, part in found if part is not ABSENT}
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return value
