"""What a rule finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the settings.

    Attributes:
        name: The variable to change.
        rule: Completes the sentence "NAME …".
        involves: Other variables that the rule looked at.
    """

    name: str
    rule: str
    involves: tuple[str, ...] = ()
