"""The cause of a failure, worded for users."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """The cause of a failure.

    Attributes:
        sentence: Problem, as one sentence.
        hint: Next command, or the setting to change.
        service: Service whose failure explains it, empty if there is none.
    """

    sentence: str
    hint: str
    service: str = ""
