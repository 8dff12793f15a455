"""How much data is saved, and in files of which sizes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MB = 1_000_000
UNITS = {"MB": MB, "GB": 1000 * MB}
LARGE, SMALL = 64 * MB, 100_000
# One large file, and small ones for the rest.
PART = 100 * MB
SMALL_FILES = (PART - LARGE) // SMALL


@dataclass(frozen=True)
class Size:
    """An amount of artifacts.

    Attributes:
        name: As it was given, such as 2GB.
        bytes: Its bytes.
    """

    name: str
    bytes: int

    @property
    def files(self) -> Sequence[int]:
        """The sizes of its files: a third in small ones."""
        return (LARGE, *(SMALL,) * SMALL_FILES) * (self.bytes // PART)


def parse(text: str) -> Size:
    """Return the size that a text such as 100MB or 2GB names.

    Raises:
        ValueError: It is not a size, or not a multiple of 100 MB.
    """
    found = re.fullmatch(r"(\d+)(MB|GB)", text)
    size = int(found[1]) * UNITS[found[2]] if found else 0
    if not size or size % PART:
        raise ValueError(f"{text} is not a multiple of 100MB, such as 100MB or 2GB")
    return Size(text, size)
