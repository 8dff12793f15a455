"""What all checks of links share."""

from collections.abc import Mapping
from typing import Any

Request = Mapping[str, Any]


class BrokenLink(Exception):  # noqa: N818 - what it is, not that it is an error
    """A link is broken; `cause` is a key in `causes`."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
