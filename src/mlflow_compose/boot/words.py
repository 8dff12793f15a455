"""How systemd reads the text of a unit, and whose a unit is."""

import re
from collections.abc import Mapping, Sequence

from mlflow_compose.errors import BootError

# Characters that need no quotes in a command line of a unit.
PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
OWNER = "Stack"


def command_line(program: str, words: Sequence[str]) -> str:
    """Return a command line as systemd reads it."""
    # systemd does not expand variables in the program itself, so a dollar sign stays single.
    return f"{word(program)} {arguments(words)}".rstrip()


def arguments(words: Sequence[str]) -> str:
    """Return arguments of a command line as systemd reads them."""
    return " ".join(map(_word, words))


def literal(text: str) -> str:
    """Return text without specifiers."""
    return text.replace("%", "%%")


def word(text: str) -> str:
    """Return a word of a list, such as a path, as systemd reads it.

    Raises:
        BootError: It has control characters.
    """
    return text if PLAIN.fullmatch(text) else _quoted(text, {})


def variable(pair: tuple[str, str]) -> str:
    """Return a variable and its value as systemd reads them.

    Raises:
        BootError: The value has control characters other than tabs and line breaks.
    """
    return _quoted("=".join(pair), {"\t": "\\t", "\n": "\\n"})


def owned_by(identity: str) -> str:
    """Return the section that says for which stack a unit was written."""
    return f"[X-mlflow-compose]\n{OWNER}={identity}\n"


def owner_of(text: str) -> str:
    """Return the id of the stack that a unit file was written for, empty if it is not ours."""
    found = re.search(rf"^\[X-mlflow-compose\]\n{OWNER}=(\S+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _word(text: str) -> str:
    return word(text).replace("$", "$$")


def _quoted(text: str, escapes: Mapping[str, str]) -> str:
    parts = []
    for character in text:
        if character not in escapes and not character.isprintable():
            raise BootError(f"a unit cannot have control characters, got {text!r}")
        parts.append({"\\": "\\\\", '"': '\\"', "%": "%%", **escapes}.get(character, character))
    return f'"{"".join(parts)}"'
