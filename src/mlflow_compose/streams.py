"""The standard streams of this process, which may be on a full disk, closed, or unread."""

import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class Lossy:
    """Standard error, without write errors: no work may fail because of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or discard the text."""
        try:
            return self._stream.write(text)
        except OSError:
            divert(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, or discard the text."""
        try:
            self._stream.flush()
        except OSError:
            divert(self._stream)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - an attribute of the stream
        """Return any other attribute of the stream."""
        return getattr(self._stream, name)


def open_streams() -> None:
    """Open the standard streams that this process was started without.

    Otherwise, the next file that is opened would get the stream's file descriptor and its output.
    Writing to such a standard output fails, as on a full disk; standard error is discarded.
    """
    modes = {"stdin": os.O_RDONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, mode) in enumerate(modes.items()):
        if getattr(sys, name) is None:
            # This is the lowest free file descriptor.
            os.set_inheritable(os.open(os.devnull, mode), True)  # noqa: FBT003 - positional-only
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def divert(stream: TextIO) -> None:
    """Make later flushes of a stream harmless, including the interpreter's at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
