"""The syntaxes in which variables can be written."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mlflow_compose.connect.variables import ClientEnvironment
from mlflow_compose.settings.quoting import quote

# What IPython passes to %env unchanged: it expands `$name` and `{expression}`, and strips spaces.
PLAIN = re.compile(r"[\w./:@%+,=-]+", re.ASCII)
# All of them end a string in single quotes: PowerShell's tokenizer treats them alike.
POWERSHELL_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")


@dataclass(frozen=True)
class Format:
    """A syntax.

    Attributes:
        about: What reads it.
        lines: Returns the lines that set variables.
        has_comments: Whether it allows comments, which begin with `#`.
    """

    about: str
    lines: Callable[[Mapping[str, str]], list[str]]
    has_comments: bool = True


def written(environment: ClientEnvironment, format_name: str, *, secrets: bool) -> list[str]:
    """Return the lines that set the variables.

    Those whose secret values are left out are named in comments: an empty value would be a wrong
    one.
    """
    chosen = FORMATS[format_name]
    lines = chosen.lines(environment.values(secrets=secrets))
    comments = comments_of(environment, secrets=secrets) if chosen.has_comments else ()
    return [*lines, *(f"# {text}" for text in comments)]


def comments_of(environment: ClientEnvironment, *, secrets: bool) -> Iterator[str]:
    """Yield what the lines do not say: variables that are left out, and notes."""
    if hidden := environment.hidden(secrets=secrets):
        yield f"also needed, and printed with --secrets: {', '.join(hidden)}"
    yield from environment.notes


def bash(name: str, value: str) -> str:
    """Return an assignment for bash, zsh and other POSIX shells."""
    return f"export {name}={shlex.quote(value)}"


def fish(name: str, value: str) -> str:
    r"""Return an assignment for fish, where single quotes only know `\\` and `\'`."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def powershell(name: str, value: str) -> str:
    """Return an assignment for PowerShell, where a quote in single quotes is doubled."""
    doubled = POWERSHELL_QUOTES.sub(r"\1\1", value)
    return f"$env:{name} = '{doubled}'"


def dotenv(name: str, value: str) -> str:
    """Return a line of an env file."""
    return f"{name}={quote(value)}"


def python(name: str, value: str) -> str:
    """Return a Python statement."""
    return f'os.environ["{name}"] = {value!r}'


def jupyter(name: str, value: str) -> str:
    """Return a line of a notebook's cell."""
    return f"%env {name}={value}" if PLAIN.fullmatch(value) else f"import os; {python(name, value)}"


def r(name: str, value: str) -> str:
    """Return an R statement."""
    # JSON's escapes are R's too, except for \/ (not written) and surrogate pairs.
    return f"Sys.setenv({name} = {json.dumps(value, ensure_ascii=False)})"


def as_json(values: Mapping[str, str]) -> list[str]:
    """Return a JSON object, as lines."""
    return json.dumps(dict(values), indent=2, ensure_ascii=False).split("\n")


def _by_line(assignment: Callable[[str, str], str], *header: str) -> Callable[..., list[str]]:
    def lines(values: Mapping[str, str]) -> list[str]:
        return [*header, *(assignment(name, value) for name, value in values.items())]

    return lines


FORMATS: Mapping[str, Format] = {
    "bash": Format("bash, zsh, sh", _by_line(bash)),
    "dotenv": Format("python-dotenv, Docker Compose", _by_line(dotenv)),
    "fish": Format("fish", _by_line(fish)),
    "powershell": Format("PowerShell", _by_line(powershell)),
    "json": Format("programs", as_json, has_comments=False),
    "python": Format("Python", _by_line(python, "import os")),
    "r": Format("R", _by_line(r)),
    "jupyter": Format("a cell of a notebook", _by_line(jupyter)),
}
