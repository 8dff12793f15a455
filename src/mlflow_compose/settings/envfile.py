"""The one parser of env files; nothing else in the project ever reads one.

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
    """What an env file says.

    Attributes:
        values: By name; of a name written twice, the last one.
        lines: The numbers of the lines that set a name.
        notes: What is odd about the file and was read all the same.
        problems: Lines that are not in the format: their numbers, and what is wrong with them.
        references: Names whose values hold `${NAME}` or `$NAME` outside of single quotes, where
            other readers expand it.
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
        """Whether it is in single quotes."""
        return self.written.lstrip().startswith("'")


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
    bindings = list(parse_stream(io.StringIO(_with_plain_ends(text), newline="")))
    found = [
        (_line_of(binding), binding, _problem(binding, before))
        for before, binding in pairwise([None, *bindings])
        if binding is not None
    ]
    good = [
        (line, _Assignment(binding.key, binding.value, _behind_equals(binding)))
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

    `${NAME}`, `${NAME:-default}` and `$NAME` are expanded from the file itself; a doubled or an
    escaped dollar sign is one.
    """
    values: dict[str, str | None] = {}
    for name, value in file.values.items():
        values[name] = value if name in file.literal else _expanded(value, values)
    return {name: value or "" for name, value in values.items()}


def _expanded(value: str, known: Mapping[str, str | None]) -> str:
    # A zero byte, which no value may hold, keeps the place of a dollar sign that is one.
    marked = re.sub(r"\\\$|\$\$", "\0", value)
    braced = re.sub(r"\$([A-Za-z_]\w*)", r"${\1}", marked)
    text = "".join(atom.resolve(known) for atom in parse_variables(braced))
    return text.replace("\0", "$")


def edit(text: str, values: Mapping[str, str]) -> str:
    """Return the text of an env file with other values; every other line stays as it is.

    A name that is there only as a comment (`#NAME=…`, a default) is written in that place, one
    that is not there at all at the end.
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
            # Of a name written twice, the first place is as good as the other.
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
    # A binding also swallows the blank lines above it; its own line is the first with text.
    skipped = _blank(binding.original.string)
    return binding.original.line + len(re.findall(r"\r\n|\r|\n", skipped))


def _behind_equals(binding: Binding) -> str:
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
    # \\$ and $$ are ways in which other readers take a dollar sign as it is.
    found = re.search(r"(?<![\\$])\$(?:\{|[A-Za-z_])", one.value)
    return bool(found) and not one.is_literal


def _notes(text: str, bindings: Iterable[Binding], name: str) -> Iterator[str]:
    if text.startswith(BYTE_ORDER_MARK):
        yield f"{name} begins with a byte order mark; it was read without it"
    ends = (binding.original.string.endswith(("\r\n", "\r")) for binding in bindings)
    if is_windows(text) or any(ends):
        yield f"{name} has Windows line ends (CRLF); they were read as plain ones"
