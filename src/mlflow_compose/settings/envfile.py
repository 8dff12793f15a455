"""The only parser of env files in the project.

Values are literal: no `${…}` is expanded. The format is python-dotenv's: `NAME=value`,
`export NAME=value`, single quotes (literal), double quotes (backslash escapes), `#` comments.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables

from mlflow_compose.errors import EnvFileError
from mlflow_compose.settings.lines import commented, is_windows, odd, unreadable, without_value
from mlflow_compose.settings.quoting import compose_differs, quote

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class EnvFile:
    """The content of an env file.

    Attributes:
        values: Values by name; the last one if a name is set twice.
        lines: Numbers of the lines that set a name.
        notes: Remarks about the file that are not errors.
        problems: Lines with errors: their numbers, and what is wrong with them.
        references: Names whose values contain `${NAME}` or `$NAME` outside of single quotes, where
            other parsers expand it.
        differing: Names whose values Docker Compose would read differently.
        literal: Names whose values are in single quotes.
    """

    values: Mapping[str, str] = field(repr=False)
    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[tuple[int, str], ...] = ()
    references: frozenset[str] = frozenset()
    differing: frozenset[str] = frozenset()
    literal: frozenset[str] = frozenset()


class _Assignment(NamedTuple):
    name: str
    value: str
    written: str

    @property
    def is_literal(self) -> bool:
        """Whether the value is in single quotes."""
        return self.written.lstrip().startswith("'")


def read(path: Path) -> EnvFile:
    """Read and parse an env file.

    Raises:
        EnvFileError: The file is missing or unreadable.
    """
    text = read_text(path, if_missing="mlflow-compose init creates one with random secrets")
    return parse(text, name=path.name)


def read_text(path: Path, *, if_missing: str | None = None) -> str:
    """Return the text of an env file.

    Args:
        path: Path of the file.
        if_missing: Hint for the error if there is none.

    Raises:
        EnvFileError: The file is missing or unreadable.
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
            f"{path} cannot be read: permission denied", hint=f"ls -l {path} shows its permissions"
        ) from None
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise EnvFileError(
            f"{path} is not UTF-8 text (byte {error.start})", hint="save it as UTF-8"
        ) from None


def parse(text: str, *, name: str = ".env") -> EnvFile:
    """Parse the text of an env file called `name`."""
    bindings = list(parse_stream(io.StringIO(_with_plain_ends(text), newline="")))
    found = [
        (_line_of(binding), binding, _problem(binding, before))
        for before, binding in pairwise([None, *bindings])
        if binding is not None
    ]
    good = [
        (line, _Assignment(binding.key, binding.value, _after_equals(binding)))
        for line, binding, problem in found
        if not problem and binding.key is not None and binding.value is not None
    ]
    lines: dict[str, tuple[int, ...]] = {}
    for line, one in good:
        lines[one.name] = (*lines.get(one.name, ()), line)
    return EnvFile(
        values={one.name: one.value for _, one in good},
        lines=lines,
        notes=tuple(_notes(text, bindings, name)),
        problems=tuple((line, problem) for line, _, problem in found if problem),
        references=frozenset(one.name for _, one in good if _has_reference(one)),
        differing=frozenset(one.name for _, one in good if compose_differs(one.written)),
        literal=frozenset(one.name for _, one in good if one.is_literal),
    )


def expanded(file: EnvFile) -> Mapping[str, str]:
    """Return the values of an env file as Docker Compose reads them.

    `${NAME}`, `${NAME:-default}` and `$NAME` are expanded from the file itself; a doubled or
    escaped dollar sign stands for a single one.
    """
    values: dict[str, str | None] = {}
    for name, value in file.values.items():
        values[name] = value if name in file.literal else _expanded(value, values)
    return {name: value or "" for name, value in values.items()}


def _expanded(value: str, known: Mapping[str, str | None]) -> str:
    # A NUL character, which no value may contain, stands for a literal dollar sign.
    marked = re.sub(r"\\\$|\$\$", "\0", value)
    braced = re.sub(r"\$([A-Za-z_]\w*)", r"${\1}", marked)
    text = "".join(atom.resolve(known) for atom in parse_variables(braced))
    return text.replace("\0", "$")


def edit(text: str, values: Mapping[str, str]) -> str:
    """Return the text of an env file with changed values; every other line stays as it is.

    A commented-out setting (`#NAME=…`, a default) is replaced in place; a name that does not occur
    is added at the end.
    """
    end = "\r\n" if is_windows(text) else "\n"
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    active = {binding.key for binding in bindings}
    missing, pieces = dict(values), []
    for binding in bindings:
        piece = binding.original.string
        default = commented(piece)
        name = binding.key or (default if default not in active else None)
        if name in values:
            # If a name is set twice, the first line gets the new value and the second is dropped.
            piece = _blank(piece) + _line(name, missing.pop(name), end) if name in missing else ""
        pieces.append(piece)
    whole = "".join(pieces)
    if missing and whole and not whole.endswith("\n"):
        whole += end
    return whole + "".join(_line(name, value, end) for name, value in missing.items())


def _line(name: str, value: str, end: str) -> str:
    return f"{name}={quote(value)}\n".replace("\n", end)


def _with_plain_ends(text: str) -> str:
    plain = text.removeprefix(BYTE_ORDER_MARK)
    return plain.replace("\r\n", "\n") if is_windows(plain) else plain


def _line_of(binding: Binding) -> int:
    # A binding includes the blank lines above it; its own line is the first with text.
    skipped = _blank(binding.original.string)
    return binding.original.line + len(re.findall(r"\r\n|\r|\n", skipped))


def _after_equals(binding: Binding) -> str:
    return binding.original.string.partition("=")[2]


def _blank(piece: str) -> str:
    return piece[: len(piece) - len(piece.lstrip())]


def _problem(binding: Binding, before: Binding | None) -> str | None:
    line = binding.original.string
    if binding.error:
        return unreadable(line)
    if binding.key is not None and binding.value is None:
        return without_value(line)
    return odd(line, before.original.string if before else "")


def _has_reference(one: _Assignment) -> bool:
    # Other parsers read \\$ and $$ as a literal dollar sign.
    found = re.search(r"(?<![\\$])\$(?:\{|[A-Za-z_])", one.value)
    return bool(found) and not one.is_literal


def _notes(text: str, bindings: Iterable[Binding], name: str) -> Iterator[str]:
    if text.startswith(BYTE_ORDER_MARK):
        yield f"{name} starts with a byte order mark, which is ignored"
    ends = (binding.original.string.endswith(("\r\n", "\r")) for binding in bindings)
    if is_windows(text) or any(ends):
        yield f"{name} has Windows line endings (CRLF), which are read as plain ones"
