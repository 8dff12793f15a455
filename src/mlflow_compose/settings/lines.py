"""Lines of an env file: what is wrong with one, and how they end.

Of a line that is wrong, only the name is repeated, and only a known one: the rest may be a secret.
"""

import re

from mlflow_compose.settings.names import OTHER_PREFIXES, OUR_PREFIXES

# With the padding at its end. Tools break its lines after so many characters.
BASE64, WRAPPED_AT = r"[A-Za-z0-9+/_-]+={0,2}", {64, 76}


def unreadable(line: str) -> str:
    """Say why a line cannot be read."""
    name = _name(line)
    return _colon(line, name) or (
        f"{name or 'this line'} cannot be read: a quote is not closed, or text follows it"
    )


def without_value(line: str) -> str:
    """Say what is missing in a line that has only a name."""
    name = _name(line)
    return _colon(line, name) or (
        f"{name or 'this line'} has no value; write {name or 'NAME'}=value on one line"
    )


def odd(line: str, above: str) -> str:
    """Say why a line that can be read is not meant as it reads; nothing if it is.

    Args:
        line: The line.
        above: The one directly above it.
    """
    if problem := _colon(line, _name(line)):
        return problem
    if _is_wrapped(above) and re.fullmatch(BASE64, line.rstrip()):
        return "this line looks like the end of the value above it; write a value on one line"
    return ""


def commented(piece: str) -> str | None:
    """Return the name of a setting that is there only as a comment."""
    match = re.fullmatch(r"\s*#([A-Z][A-Z0-9_]*)=.*\s*", piece)
    return match[1] if match else None


def is_windows(text: str) -> bool:
    """Tell whether every line ends as on Windows; then those inside of quotes do too."""
    return "\r\n" in text and not re.search(r"(?<!\r)\n|\r(?!\n)", text)


def _name(line: str) -> str:
    found = re.match(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)(?![^\s:=])", line)
    return found[1] if found and found[1].startswith((*OUR_PREFIXES, *OTHER_PREFIXES)) else ""


def _colon(line: str, name: str) -> str:
    if name and re.match(rf"\s*(?:export\s+)?{name}\s*:", line):
        return f"{name}: is written with a colon; write {name}=value"
    return ""


def _is_wrapped(line: str) -> bool:
    """Tell whether a value is as long as the lines that openssl and base64 print."""
    found = re.fullmatch(rf"[^=\s]+=({BASE64})\n", line.lstrip())
    return found is not None and len(found[1]) in WRAPPED_AT
