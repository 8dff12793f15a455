"""What all links have in common."""

from collections.abc import Mapping
from typing import Any

Request = Mapping[str, Any]


class BrokenLink(Exception):  # noqa: N818 - what it is, not that it is an error
    """A link does not hold; `cause` is a word that `causes` knows."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
