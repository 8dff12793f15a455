"""Generated texts: `.env.example`, a new `.env` with random secrets, and the variables page."""

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from mlflow_compose.settings.fields import generated_of, section_of
from mlflow_compose.settings.model import declared
from mlflow_compose.settings.profiles import DEPENDS_ON_PROFILE, PROFILES, profile_of
from mlflow_compose.settings.quoting import quote

ALPHABET = string.ascii_letters + string.digits

EXAMPLE_HEADER = """\
# Every setting of a stack, with its default.
# `mlflow-compose init` creates a .env file with these settings and random secrets.
# Values are literal: $NAME is not expanded. Quote values that contain # or a quote: 'it\\'s'.
# Lines such as #MLFLOW_WORKERS=2 depend on STACK_PROFILE unless the # is removed.
"""
REFERENCE_HEADER = """\
# Variables

Every setting of a stack. Settings come from `.env` or from the environment, which takes
precedence. This page is generated from the code.

## How `.env` is read

Values are literal: `${NAME}` and `$NAME` are not expanded. In a secret they are an error, because a
password such as `${PASSWORD:-admin}` can be guessed; elsewhere, `config` and `up` print a note. In
single quotes, a dollar sign is always literal. Double quotes support escapes such as `\\n` and
`\\t`, and `#` after a space starts a comment. A note also names the values that Docker Compose
would read differently. Booleans are `true` and `false`.

`mlflow-compose init` generates random secrets. Secrets that the chosen stores do not use may be
omitted; with `BACKEND_STORE=sqlite` and `ARTIFACT_STORE=local`, that is all of them.

Variables that MLflow defines for its server are passed to it unchanged. Any other name that starts
with `MLFLOW_`, `MINIO_`, `PG_`, `POSTGRES_`, `S3_`, `STACK_`, `CLASS_`, `JUPYTER_` or `PGADMIN_` is
an error; for [names from other stacks](../how-to/from-another-stack.md), the message gives the
setting to use instead. The name of a setting in quotes, in lower case or with hyphens is an error
too.

With Docker, `PG_HOST=localhost` or `MINIO_HOST=127.0.0.1` would mean the container itself, so both
are rejected. Use `host.docker.internal` for a server on this machine, on Linux too.
"""
PROFILES_HEADER = """
## Profiles

`STACK_PROFILE` only changes the defaults of these variables:
[which profile to choose](../how-to/profiles.md).

"""
NEW_HEADER = """\
# The settings of one stack. This file contains passwords: do not share it.
# Lines such as #MLFLOW_PORT=5000 show defaults; remove the # to change one.
# Values are literal: $NAME is not expanded. Quote values that contain # or a quote: 'it\\'s'.
"""


def example_text() -> str:
    """Return the text of `.env.example`: every setting with its description and default."""
    # Written values would override the profile's.
    written = {
        name: default_text(info) for name, info in declared() if name not in DEPENDS_ON_PROFILE
    }
    return EXAMPLE_HEADER + "".join(_lines(written))


def new_env_text(given: Mapping[str, str], *, choice: Callable[[Sequence[str]], str]) -> str:
    """Return the text of a new env file.

    Args:
        given: Values by name, instead of defaults and random secrets.
        choice: Cryptographically secure random choice of one character.
    """
    values = {
        name: "".join(choice(ALPHABET) for _ in range(generated.length))
        for name, info in declared()
        if (generated := generated_of(info))
    }
    names = dict(declared())
    own = {name: value for name, value in given.items() if name in names}
    others = [f"{name}={quote(value)}\n" for name, value in given.items() if name not in names]
    more = ["\n# --- Other variables\n", *others] if others else []
    return NEW_HEADER + "".join(_lines({**values, **own})) + "".join(more)


def _lines(values: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of every setting; those without a value show their default as a comment."""
    profile = profile_of(values)
    for section, fields in groupby(declared(), key=lambda item: section_of(item[1])):
        yield f"\n# --- {section}\n"
        for name, info in fields:
            start = "" if name in values else "#"
            value = values.get(name, profile.get(name, default_text(info)))
            yield f"# {info.description}\n{start}{name}={quote(value)}\n"


def reference_page() -> str:
    """Return the text of `docs/reference/variables.md`: every setting, in tables."""
    return REFERENCE_HEADER + "".join(_tables()) + PROFILES_HEADER + "".join(_profiles())


def _tables() -> Iterator[str]:
    for section, fields in groupby(declared(), key=lambda item: section_of(item[1])):
        yield f"\n## {section}\n\n| Variable | Default | Description |\n|---|---|---|\n"
        for name, info in fields:
            text = default_text(info)
            default = "random" if generated_of(info) else f"`{text}`" if text else "empty"
            yield f"| `{name}` | {default} | {info.description} |\n"


def _profiles() -> Iterator[str]:
    yield f"| Variable | {' | '.join(PROFILES)} |\n|---|{'---|' * len(PROFILES)}\n"
    defaults = {name: default_text(info) for name, info in declared()}
    for name in sorted(DEPENDS_ON_PROFILE):
        chosen = [values.get(name, defaults.get(name, "")) for values in PROFILES.values()]
        shown = " | ".join(f"`{value}`" if value else "MLflow's default" for value in chosen)
        yield f"| `{name}` | {shown} |\n"


def default_text(info: FieldInfo) -> str:
    """Return a default as it is written in an env file; a generated one is empty."""
    default = info.get_default()
    if generated_of(info) or isinstance(default, SecretStr):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default)
