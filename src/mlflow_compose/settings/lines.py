"""Single lines of an env file: what is wrong with them, and how they end.

Messages only quote the name on an invalid line, and only a known one: the rest may be a secret.
"""

import re

from mlflow_compose.settings.names import OTHER_PREFIXES, OUR_PREFIXES

# Base64 with padding. Tools wrap its lines after this many characters.
BASE64, WRAPPED_AT = r"[A-Za-z0-9+/_-]+={0,2}", {64, 76}


def unreadable(line: str) -> str:
    """Return why a line cannot be parsed."""
    name = _name(line)
    return _colon(line, name) or (
        f"{name or 'this line'} cannot be parsed: a quote is not closed, or is followed by text"
    )


def without_value(line: str) -> str:
    """Return what is missing on a line that has only a name."""
    name = _name(line)
    return _colon(line, name) or (
        f"{name or 'this line'} has no value; write {name or 'NAME'}=value on a single line"
    )


def odd(line: str, above: str) -> str:
    """Return why a line that can be parsed is probably a mistake, empty if it is not.

    Args:
        line: The line.
        above: The line directly above it.
    """
    if problem := _colon(line, _name(line)):
        return problem
    if _is_wrapped(above) and re.fullmatch(BASE64, line.rstrip()):
        return (
            "this line looks like the end of the value above it; write each value on a single line"
        )
    return ""


def commented(piece: str) -> str | None:
    """Return the name on a commented-out line (`#NAME=…`), None if it is another line."""
    match = re.fullmatch(r"\s*#([A-Z][A-Z0-9_]*)=.*\s*", piece)
    return match[1] if match else None


def is_windows(text: str) -> bool:
    """Tell whether every line ends in CRLF; then those within quotes do too."""
    return "\r\n" in text and not re.search(r"(?<!\r)\n|\r(?!\n)", text)


def _name(line: str) -> str:
    found = re.match(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)(?![^\s:=])", line)
    return found[1] if found and found[1].startswith((*OUR_PREFIXES, *OTHER_PREFIXES)) else ""


def _colon(line: str, name: str) -> str:
    if name and re.match(rf"\s*(?:export\s+)?{name}\s*:", line):
        return f"{name} is followed by a colon; write {name}=value"
    return ""


def _is_wrapped(line: str) -> bool:
    """Tell whether a value is as long as a full line from openssl or base64."""
    found = re.fullmatch(rf"[^=\s]+=({BASE64})\n", line.lstrip())
    return found is not None and len(found[1]) in WRAPPED_AT
