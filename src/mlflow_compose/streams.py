"""The standard streams of this process, which may be full, closed, or without a reader."""

import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class Lossy:
    """Standard error, on which no work depends: what cannot be written there is left out."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        try:
            return self._stream.write(text)
        except OSError:
            divert(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        try:
            self._stream.flush()
        except OSError:
            divert(self._stream)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the stream has it
        """Return everything else as the stream has it."""
        return getattr(self._stream, name)


def open_streams() -> None:
    """Give this process the standard streams that it was started without.

    Otherwise the next file that is opened gets the number of one, and what is printed. Writing to
    standard output then fails, as on a full disk; standard error leads nowhere.
    """
    modes = {"stdin": os.O_RDONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, mode) in enumerate(modes.items()):
        if getattr(sys, name) is None:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, mode), True)  # noqa: FBT003 - its only form
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def divert(stream: TextIO) -> None:
    """Make the next flush of a stream harmless, also the one with which the interpreter ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
