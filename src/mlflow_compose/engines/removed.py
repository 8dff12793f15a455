"""The result of deleting volumes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Removed:
    """What a removal of volumes did.

    Attributes:
        volumes: Names of those that were deleted with their data.
        kept: A sentence about data that was kept, empty if none was.
    """

    volumes: tuple[str, ...] = ()
    kept: str = ""
