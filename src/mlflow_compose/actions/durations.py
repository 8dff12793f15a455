"""Durations as they are typed."""

import re
from datetime import timedelta

from mlflow_compose.errors import UsageError

DURATION = re.compile(r"(\d{1,6})([dhm])")
UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def duration(text: str, option: str) -> timedelta:
    """Return a duration such as 30d, 12h or 90m.

    Raises:
        UsageError: The text is not one.
    """
    if not (found := DURATION.fullmatch(text)):
        raise UsageError(f"{option} must be a number with d, h or m, such as 30d, got {text}")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
