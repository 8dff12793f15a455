"""Read what modules report from inside a service, and refuse what is not in the format."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

# Bytes; anything longer would only fill the memory. Lists of any length are sent as items.
LONGEST_LINE = 64 * 1024 * 1024
MALFORMED = "malformed answer from inside"
# Shapes in messages.
NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number",
}
T = TypeVar("T")


class RemoteError(Exception):
    """The modules could not do their work; the message gives the reason, without secrets.

    Attributes:
        facts: Facts besides the message.
    """

    def __init__(self, message: str, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.facts = facts or {}


class Reader:
    """Parses the output of modules, which arrives in chunks of any size.

    Attributes:
        done: The result, in a tuple; empty without one.
        failed: Message and facts of a failure, without secrets; None if there is none.
    """

    def __init__(
        self,
        on_progress: Callable[[str], None],
        on_item: Callable[[Any], None],
        mask: Callable[[str], str],
    ) -> None:
        """Prepare to read.

        Args:
            on_progress: Called with each text that they report, without secrets.
            on_item: Called with each part of the result that they report.
            mask: Removes secrets from a text.
        """
        self._on_progress, self._on_item, self._mask = on_progress, on_item, mask
        self._line = bytearray()
        self.done: tuple[Any, ...] = ()
        self.failed: Mapping[str, Any] | None = None

    def read(self, chunk: bytes) -> None:
        """Parse the lines that a chunk completes.

        Raises:
            RemoteError: A line is too long.
        """
        rest, *others = chunk.split(b"\n")
        self._add(rest)
        for part in others:
            line, self._line = self._line, bytearray()
            self._parse(line)
            self._add(part)

    def _add(self, part: bytes) -> None:
        # Unlike bytes, it grows without being copied.
        self._line += part
        if len(self._line) > LONGEST_LINE:
            limit = LONGEST_LINE // 1024**2
            raise RemoteError(f"{MALFORMED}: a line has more than {limit} MB")

    def _parse(self, line: bytearray) -> None:
        match _parsed(line):
            case {"failed": {"message": str()} as facts}:
                self.failed = {
                    name: self._mask(value) if isinstance(value, str) else value
                    for name, value in facts.items()
                }
            case {"failed": _}:
                self.failed = {"message": f"{MALFORMED}: a failure without a message"}
            case {"done": _} if self.done:
                self.failed = {"message": f"{MALFORMED}: more than one result"}
            case {"done": done}:
                self.done = (done,)
            case {"progress": str(text)}:
                self._on_progress(self._mask(text))
            case {"item": value}:
                self._on_item(value)


def _parsed(line: bytearray) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        # Not from the modules, such as a library's warning.
        return None


def shaped(value: object, shape: type[T], name: str = "it") -> T:
    """Return a JSON value as a shape.

    Args:
        value: JSON value.
        shape: A dataclass with exactly these keys, `dict[str, …]`, `list[…]`, `tuple[…]` of a
            fixed length, or the type of a plain value.
        name: Name of the value for the message.

    Raises:
        RemoteError: The value has another shape.
    """
    return cast("T", _shaped(value, shape, name))


def _shaped(value: Any, shape: Any, name: str) -> object:  # noqa: ANN401 - known at run time
    origin, inner = get_origin(shape), get_args(shape)
    if is_dataclass(shape) and isinstance(value, dict):
        hints = get_type_hints(shape)
        if value.keys() == hints.keys():
            fields = {key: _shaped(value[key], hint, key) for key, hint in hints.items()}
            return cast("Any", shape)(**fields)
    elif origin is dict and isinstance(value, dict):
        return {key: _shaped(each, inner[1], name) for key, each in value.items()}
    elif origin is list and isinstance(value, list):
        return [_shaped(each, inner[0], name) for each in value]
    elif origin is tuple and isinstance(value, list) and len(value) == len(inner):
        return tuple(_shaped(each, one, name) for each, one in zip(value, inner, strict=True))
    elif type(value) is shape and (shape is not float or math.isfinite(value)):
        # JSON has no NaN, but Python's parser accepts it.
        return value
    raise RemoteError(f"{MALFORMED}: {name} must be {_text(shape)}")


def _text(shape: Any) -> str:  # noqa: ANN401 - known at run time
    if is_dataclass(shape):
        return f"an object with the keys {', '.join(get_type_hints(shape))}"
    if get_origin(shape) is tuple:
        return f"a list of {len(get_args(shape))} values"
    return NAMES[get_origin(shape) or shape]
