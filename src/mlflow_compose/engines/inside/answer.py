"""The protocol of modules that run inside a service: one JSON object a line, the outcome last.

`{"progress": TEXT}` and `{"item": VALUE}` while they work, then either `{"done": VALUE}` or
`{"failed": {"message": TEXT, …}}`.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

Request = Mapping[str, Any]

# Windows, where this module is only imported, has no SIGHUP.
ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Failure(Exception):  # noqa: N818 - an outcome, not a bug
    """The work cannot be done.

    Attributes:
        facts: Facts for the caller besides the message, as JSON values.
    """

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


def progress(text: str) -> None:
    """Report what is being done."""
    _write(progress=text)


def item(value: object) -> None:
    """Report a part of the result as soon as it is known."""
    _write(item=value)


def exit_on_signals() -> None:
    """Turn every signal that ends this process into an exception, so that cleanup runs."""
    for number in ENDING:
        # A signal that is ignored, as with nohup, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    for each in ENDING:
        # Later ones do not disturb the cleanup.
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def give_up(message: str) -> None:
    """Report a failure from another thread than the one that works, and end the process."""
    _write(failed={"message": message})
    # The working thread may never return.
    os._exit(1)


def serve(work: Callable[[Request], Any], request: Request) -> None:
    """Do the work, and report its outcome."""
    try:
        done = work(request)
    except Failure as error:
        _write(failed={"message": str(error), **error.facts})
        sys.exit(1)
    _write(done=done)


def _write(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
