"""Env files that we write: the example that is committed, and a new one with random secrets."""

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from mlflow_compose.settings.fields import generated_of, section_of
from mlflow_compose.settings.model import declared
from mlflow_compose.settings.quoting import quote

ALPHABET = string.ascii_letters + string.digits

EXAMPLE_HEADER = """\
# Every setting of a stack, with its default.
# `mlflow-compose init` writes .env from this, with random secrets.
# Values are literal: nothing is expanded. Quote what holds a # or a quote: 'it\\'s'.
"""
REFERENCE_HEADER = """\
# Variables

Every setting of a stack: in `.env`, or in the environment, which wins. Written from the code.

## How `.env` is read

Values are literal: `${NAME}` and `$NAME` are not expanded. In a secret they are refused, because a
password such as `${PASSWORD:-admin}` can be guessed; elsewhere a note says so. In single quotes,
a dollar sign is just one. Double quotes know `\\n`, `\\t` and the like, and `#` after a space
begins a comment. A note names the lines that Docker Compose would read differently. Booleans are
`true` and `false`.

`mlflow-compose init` draws random values. A secret that the chosen stores do not use may be left
out; with `BACKEND_STORE=sqlite` and `ARTIFACT_STORE=local`, all of them.

Variables that MLflow defines for its server go to the server as they are. Any other name that
begins with `MLFLOW_`, `MINIO_`, `PG_`, `POSTGRES_`, `S3_`, `STACK_` or `CLASS_` is an error. It
says what [names of other stacks](../how-to/from-another-stack.md) are called here. One of our
names in quotes, in small letters or with a hyphen is an error too.

On Docker, `PG_HOST=localhost` or `MINIO_HOST=127.0.0.1` would be the container itself, and is
refused. A server on this machine is `host.docker.internal`, on Linux too.
"""
NEW_HEADER = """\
# The settings of one stack; keep this file to yourself, it holds its passwords.
# A line such as #MLFLOW_PORT=5000 is a default; take the # away to change it.
# Values are literal: nothing is expanded. Quote what holds a # or a quote: 'it\\'s'.
"""


def example_text() -> str:
    """Return `.env.example`: every setting with its sentence and its default."""
    return EXAMPLE_HEADER + "".join(_lines({}, default=""))


def new_env_text(given: Mapping[str, str], *, choice: Callable[[Sequence[str]], str]) -> str:
    """Return a new env file.

    Args:
        given: Values to write instead of defaults and random secrets, by name.
        choice: Picks one character at random; must be fit for secrets.
    """
    values = {
        name: "".join(choice(ALPHABET) for _ in range(generated.length))
        for name, info in declared()
        if (generated := generated_of(info))
    }
    names = dict(declared())
    own = {name: value for name, value in given.items() if name in names}
    others = [f"{name}={quote(value)}\n" for name, value in given.items() if name not in names]
    more = ["\n# --- More\n", *others] if others else []
    return NEW_HEADER + "".join(_lines({**values, **own}, default="#")) + "".join(more)


def _lines(values: Mapping[str, str], *, default: str) -> Iterator[str]:
    """Yield the lines of every setting; `default` stands before one that has no value here."""
    for section, fields in groupby(declared(), key=lambda item: section_of(item[1])):
        yield f"\n# --- {section}\n"
        for name, info in fields:
            start = "" if name in values else default
            value = values.get(name, default_text(info))
            yield f"# {info.description}\n{start}{name}={quote(value)}\n"


def reference_page() -> str:
    """Return `docs/reference/variables.md`: the same for readers, as tables."""
    return REFERENCE_HEADER + "".join(_tables())


def _tables() -> Iterator[str]:
    for section, fields in groupby(declared(), key=lambda item: section_of(item[1])):
        yield f"\n## {section}\n\n| variable | default | meaning |\n|---|---|---|\n"
        for name, info in fields:
            text = default_text(info)
            default = "random" if generated_of(info) else f"`{text}`" if text else "empty"
            yield f"| `{name}` | {default} | {info.description} |\n"


def default_text(info: FieldInfo) -> str:
    """Return a default as an env file spells it; a generated one is empty."""
    default = info.get_default()
    if generated_of(info) or isinstance(default, SecretStr):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default)
