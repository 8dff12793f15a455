"""How systemd reads the text of a unit, and whose a unit is."""

import re
from collections.abc import Sequence

from mlflow_compose.errors import BootError

# Characters that need no quotes in a command line of a unit.
PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
OWNER = "Stack"


def command_line(program: str, words: Sequence[str]) -> str:
    """Return a command line as systemd reads it."""
    # systemd does not expand variables in the program itself, so a dollar sign stays single.
    return " ".join((_word(program).replace("$$", "$"), *map(_word, words)))


def literal(text: str) -> str:
    """Return text without specifiers."""
    return text.replace("%", "%%")


def owned_by(identity: str) -> str:
    """Return the section that says for which stack a unit was written."""
    return f"[X-mlflow-compose]\n{OWNER}={identity}\n"


def owner_of(text: str) -> str:
    """Return the id of the stack that a unit file was written for, empty if it is not ours."""
    found = re.search(rf"^\[X-mlflow-compose\]\n{OWNER}=(\S+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _word(word: str) -> str:
    if PLAIN.fullmatch(word):
        return word
    if not word.isprintable():
        raise BootError(f"a unit cannot have control characters, got {word!r}")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{literal(escaped)}"'
