"""Sizes in Compose's notation, as other programs write them."""

MEBIBYTE = 1024 * 1024
# Pattern of a size in Compose's notation.
SIZE = r"\d+(\.\d+)?([kmgKMG][bB]?)"
UNITS = {"": 1, "k": 1024, "m": MEBIBYTE, "g": 1024 * MEBIBYTE}


def mebibytes(size: str) -> int:
    """Return a size such as 512m or 1.5g in mebibytes, at least one."""
    text = size.lower().removesuffix("b")
    number = text.rstrip("kmg")
    return max(1, int(float(number) * UNITS[text[len(number) :]] / MEBIBYTE))
