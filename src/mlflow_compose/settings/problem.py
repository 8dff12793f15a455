"""What a rule finds."""

from dataclasses import dataclass

MOST_CHARACTERS = 240


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


def fit_to_print(text: str) -> str:
    """Return a text that values are in, on one line and no longer than a message may be."""
    line = "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
    cut = len(line) - MOST_CHARACTERS
    if cut <= 0:
        return line
    half = MOST_CHARACTERS // 2
    return f"{line[:half]}… ({cut} more characters) …{line[-half:]}"
