"""The filters of the templates: one for YAML, one for shell scripts."""

import re
import shlex
from collections.abc import Sequence

# Strings that need no quotes, and words that YAML does not read as strings.
_PLAIN = re.compile(r"(?:[A-Za-z/]|\.{1,2}/)[\w./@+-]*(?::[\w./@+-]+)*", re.ASCII)
_RESERVED = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n"])
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def literal(value: object) -> str:
    """Return `value` as YAML that Compose reads back unchanged.

    Compose replaces `$NAME` in every string of its file, quoted or not, so `$` is doubled:
    https://docs.docker.com/reference/compose-file/interpolation/
    """
    text = str(value).replace("$", "$$")
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return '"' + "".join(_escape(character) for character in text) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


def shell(value: str | Sequence[str]) -> str:
    """Return a word or a command, quoted for a shell."""
    return shlex.quote(value) if isinstance(value, str) else shlex.join(value)
