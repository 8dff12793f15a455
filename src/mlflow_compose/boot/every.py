"""How often a backup is taken, as systemd and as cron write it."""

import re
from dataclasses import dataclass

from mlflow_compose.errors import UsageError

INTERVAL = re.compile(r"([1-9]\d?)([mhd])")
# Numbers of each unit that divide the next larger one: neither calendar has other intervals.
NUMBERS = {"m": (10, 15, 20, 30), "h": (1, 2, 3, 4, 6, 8, 12), "d": (1, 7)}
# Backups of a day or more are taken at this hour.
NIGHT = 2


@dataclass(frozen=True)
class Every:
    """An interval.

    Attributes:
        text: As it was typed, such as `6h`.
        calendar: Value of `OnCalendar`. See systemd.time(7).
        cron: Minute, hour, day, month and weekday. See crontab(5).
    """

    text: str
    calendar: str
    cron: str


def every(text: str, minute: int) -> Every:
    """Return an interval.

    Args:
        text: A number with m, h or d.
        minute: Minute of the hour at which backups start, 0 to 59.

    Raises:
        UsageError: It is not one that both calendars have.
    """
    found = INTERVAL.fullmatch(text)
    if not found or int(found[1]) not in NUMBERS[found[2]]:
        known = ", ".join(f"{number}{unit}" for unit, some in NUMBERS.items() for number in some)
        raise UsageError(f"--every must be never or one of {known}, got {text}")
    number = int(found[1])
    match found[2]:
        case "m":
            first = minute % number
            return Every(text, f"*-*-* *:{first:02}/{number}:00", f"{first}-59/{number} * * * *")
        case "h":
            return Every(text, f"*-*-* 00/{number}:{minute:02}:00", f"{minute} */{number} * * *")
    day, weekday = ("Sun ", "0") if number > 1 else ("", "*")
    return Every(text, f"{day}*-*-* {NIGHT:02}:{minute:02}:00", f"{minute} {NIGHT} * * {weekday}")
