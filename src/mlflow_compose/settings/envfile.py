"""The one parser of env files; nothing else in the project ever reads one.

Values are literal: no `${…}` is expanded. The format is python-dotenv's: `NAME=value`,
`export NAME=value`, single quotes (literal), double quotes (backslash escapes), `#` comments.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables

from mlflow_compose.errors import EnvFileError

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class EnvFile:
    """What an env file says.

    Attributes:
        values: By name; of a name written twice, the last one.
        lines: The numbers of the lines that set a name.
        notes: What is odd about the file and was read all the same.
        problems: Lines that are not in the format: their numbers, and what is wrong with them.
        references: Names whose values hold `${NAME}` or `$NAME` outside of single quotes, where
            other readers expand it.
    """

    values: Mapping[str, str] = field(repr=False)
    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[tuple[int, str], ...] = ()
    references: frozenset[str] = frozenset()


def read(path: Path) -> EnvFile:
    """Read and parse an env file.

    Raises:
        EnvFileError: It is missing or unreadable.
    """
    text = read_text(path, if_missing="mlflow-compose init writes one with random secrets")
    return parse(text, name=path.name)


def read_text(path: Path, *, if_missing: str | None = None) -> str:
    """Return the text of an env file.

    Args:
        path: The file.
        if_missing: What to do if there is none.

    Raises:
        EnvFileError: It is missing or unreadable.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise EnvFileError(
            f"{path} does not exist",
            hint=if_missing,
        ) from None
    except IsADirectoryError:
        raise EnvFileError(f"{path} is a folder, not an env file") from None
    except PermissionError:
        raise EnvFileError(
            f"{path} cannot be read: permission denied", hint=f"ls -l {path} shows who may"
        ) from None
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise EnvFileError(
            f"{path} is not UTF-8 text (byte {error.start})", hint="save it as UTF-8"
        ) from None


def parse(text: str, *, name: str = ".env") -> EnvFile:
    """Parse the text of an env file called `name`."""
    values: dict[str, str] = {}
    lines: dict[str, tuple[int, ...]] = {}
    problems: list[tuple[int, str]] = []
    references: set[str] = set()
    for binding in parse_stream(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")):
        # A binding also swallows the blank lines above it; its own line is the first with text.
        skipped = _blank(binding.original.string)
        line = binding.original.line + len(re.findall(r"\r\n|\r|\n", skipped))
        if problem := _problem(binding):
            problems.append((line, problem))
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
            lines[binding.key] = (*lines.get(binding.key, ()), line)
            if _has_reference(binding):
                references.add(binding.key)
    return EnvFile(values, lines, _notes(text, name), tuple(problems), frozenset(references))


def expanded(file: EnvFile) -> Mapping[str, str]:
    """Return the values of an env file with `${NAME}`, `${NAME:-default}` and `$NAME` expanded."""
    values: dict[str, str | None] = {}
    for name, value in file.values.items():
        if name in file.references:
            braced = re.sub(r"(?<![\\$])\$([A-Za-z_]\w*)", r"${\1}", value)
            value = "".join(atom.resolve(values) for atom in parse_variables(braced))  # noqa: PLW2901
        values[name] = value
    return {name: value or "" for name, value in values.items()}


def quote(value: str) -> str:
    """Return `value` as an env file spells it, so that `parse` gives it back unchanged."""
    if re.fullmatch(r"[\w./:@+,-]*", value, re.ASCII):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def edit(text: str, values: Mapping[str, str]) -> str:
    """Return the text of an env file with other values; every other line stays as it is.

    A name that is there only as a comment (`#NAME=…`, a default) is written in that place, one
    that is not there at all at the end.
    """
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    active = {binding.key for binding in bindings}
    missing, pieces = dict(values), []
    for binding in bindings:
        piece = binding.original.string
        commented = _commented(piece)
        name = binding.key or (commented if commented not in active else None)
        if name in values:
            # Of a name written twice, the first place is as good as the other.
            piece = _blank(piece) + _line(name, missing.pop(name)) if name in missing else ""
        pieces.append(piece)
    whole = "".join(pieces)
    if missing and whole and not whole.endswith("\n"):
        whole += "\n"
    return whole + "".join(_line(name, value) for name, value in missing.items())


def _line(name: str, value: str) -> str:
    return f"{name}={quote(value)}\n"


def _blank(piece: str) -> str:
    return piece[: len(piece) - len(piece.lstrip())]


def _commented(piece: str) -> str | None:
    match = re.fullmatch(r"\s*#([A-Z][A-Z0-9_]*)=.*\s*", piece)
    return match[1] if match else None


def _problem(binding: Binding) -> str | None:
    # Only a name is repeated, and only what looks like one: the rest may be a secret.
    line = binding.original.string
    found = re.match(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)(?![^\s:=])", line)
    name = found[1] if found else None
    if name and re.match(rf"\s*(?:export\s+)?{name}\s*:", line):
        return f"{name}: is written with a colon; write {name}=value"
    if binding.error:
        return f"{name or 'this line'} cannot be read: a quote is not closed, or text follows it"
    if binding.key is not None and binding.value is None:
        return f"{name or 'this line'} has no value; write {name or 'NAME'}=value"
    return None


def _has_reference(binding: Binding) -> bool:
    written = binding.original.string.partition("=")[2].lstrip()
    # \\$ and $$ are ways in which other readers take a dollar sign as it is.
    found = re.search(r"(?<![\\$])\$(?:\{|[A-Za-z_])", binding.value or "")
    return bool(found) and not written.startswith("'")


def _notes(text: str, name: str) -> tuple[str, ...]:
    notes = []
    if text.startswith(BYTE_ORDER_MARK):
        notes.append(f"{name} begins with a byte order mark; it was read without it")
    if "\r" in text:
        notes.append(f"{name} has Windows line ends (CRLF); they were read as plain ones")
    return tuple(notes)
