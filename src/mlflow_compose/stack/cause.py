"""Why a stack does not work, as users read it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a stack does not work.

    Attributes:
        sentence: What is wrong.
        hint: Next command, or the setting to change.
        service: Service that explains it if it is down, empty if none does.
    """

    sentence: str
    hint: str
    service: str = ""
