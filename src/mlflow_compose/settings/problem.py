"""A problem that a rule finds, and how to print it."""

from dataclasses import dataclass

MOST_CHARACTERS = 240


@dataclass(frozen=True)
class Problem:
    """One problem of the settings.

    Attributes:
        name: Variable to change.
        rule: Rest of the sentence that starts with the name.
        involves: Other variables that the rule depends on.
    """

    name: str
    rule: str
    involves: tuple[str, ...] = ()


def fit_to_print(text: str) -> str:
    """Return text that contains values as one printable line of limited length."""
    line = "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
    cut = len(line) - MOST_CHARACTERS
    if cut <= 0:
        return line
    half = MOST_CHARACTERS // 2
    return f"{line[:half]}… ({cut} more characters) …{line[-half:]}"
