"""Read what modules report from inside a service, and refuse what is not in the format."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

# Bytes; anything longer would only fill the memory. Lists of any length are sent as items.
LONGEST_LINE = 64 * 1024 * 1024
MALFORMED = "malformed answer from inside"
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
        self._other = b""

    @property
    def other(self) -> bytes:
        """The last line that is no answer, such as an error that ended the modules."""
        return bytes(self._line) if self._line.strip() else self._other

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
            raise RemoteError(f"{MALFORMED}: a line is longer than {limit} MB")

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
            case _ if line.strip():
                self._other = bytes(line)


def _parsed(line: bytearray) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        # Not from the modules, such as a library's warning.
        return None


def shaped(value: object, shape: type[T]) -> T:
    """Return a JSON value as a dataclass, or as any other type that pydantic knows.

    Raises:
        RemoteError: The value has another shape.
    """
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(shape)
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        # From JSON, a list may be a tuple although everything else is strict. Python has names of
        # files that are not UTF-8 as lone surrogates, which JSON does not have.
        adapter.validate_json(text.encode(errors="replace"), strict=True)
        # Not strict, but a value with this shape is not converted.
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"])) or "it"
        raise RemoteError(f"{MALFORMED}: {path}: {first['msg']}") from None
    except ValueError as error:
        # JSON has no NaN, but Python's parser accepts it.
        raise RemoteError(f"{MALFORMED}: {error}") from None
