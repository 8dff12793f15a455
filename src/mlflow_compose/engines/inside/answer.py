"""The protocol of modules that run inside a service: one JSON object a line, the outcome last.

`{"progress": TEXT}` and `{"item": VALUE}` while they work, then either `{"done": VALUE}` or
`{"failed": {"message": TEXT, …}}`.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

Request = Mapping[str, Any]


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
