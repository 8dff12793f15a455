"""Types that all checks share."""

from collections.abc import Mapping
from typing import Any

Request = Mapping[str, Any]


class BrokenLink(Exception):  # noqa: N818 - a finding, not a bug
    """A link is broken; `cause` is a key in `causes`."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
