"""The page of JSON output, generated from the payloads."""

import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from typing import Any

from mlflow_compose.payloads import BY_COMMAND, Absent, Help, Version

HEADER = """\
# JSON output

With `--json`, every command prints one JSON object to standard output and nothing else, even if it
fails. This page is generated from the code.

```json
{"version": 1, "command": "status", "ok": true, "data": {}, "errors": []}
```

| key | type | meaning |
|---|---|---|
| `version` | integer | Version of this format; new keys do not change it. |
| `command` | string | First word of the command line. |
| `ok` | boolean | Whether the command succeeded. |
| `data` | object | Result, see below; empty if the command failed before it had one. |
| `errors` | array | Errors, each with `code` (below), `message` and `hint` (string or null). |

Keys marked *optional* are left out if they do not apply.

## Error codes

| code | exit code | meaning |
|---|---|---|
"""
SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_page(errors: Mapping[str, tuple[int, str]]) -> str:
    """Return the text of `docs/reference/json.md`.

    Args:
        errors: Exit code and meaning of each error, by its code.
    """
    rows = [f"| `{code}` | {number} | {about} |\n" for code, (number, about) in errors.items()]
    return HEADER + "".join(sorted(rows)) + "".join(_sections())


def _sections() -> Iterator[str]:
    for command, payloads in BY_COMMAND.items():
        yield f"\n## {command}\n"
        for payload in payloads:
            title = f"\n{_about(payload)}:\n" if len(payloads) > 1 else ""
            yield f"{title}\n{_table(payload)}"
    yield f"\n## --help and --version\n\n{_table(Help)}\n{_table(Version)}"
    yield "\n## Objects\n"
    for part in _parts():
        yield f"\n### {_title(part)}\n\n{_about(part)}.\n\n{_table(part)}"


def _parts() -> list[type]:
    """Return the objects that payloads hold, in the order in which they come up."""
    waiting: list[type] = [one for payloads in BY_COMMAND.values() for one in payloads]
    found: dict[type, None] = {}
    while waiting:
        for hint in typing.get_type_hints(waiting.pop(0)).values():
            for inner in _leaves(hint):
                if isinstance(inner, type) and is_dataclass(inner) and inner not in found:
                    found[inner] = None
                    waiting.append(inner)
    return list(found)


def _leaves(hint: Any) -> Iterator[Any]:  # noqa: ANN401 - a type, whatever it is
    arguments = typing.get_args(hint)
    if not arguments:
        yield hint
    for argument in arguments:
        yield from _leaves(argument)


def _about(payload: type) -> str:
    return (payload.__doc__ or "").strip().removesuffix(".")


def _title(part: type) -> str:
    """Return a class's name as words: `FileChange` is `file change`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part.__name__).lower()


def _table(payload: type) -> str:
    hints = typing.get_type_hints(payload)
    rows = "".join(_row(part, hints[part.name]) for part in fields(payload))
    return f"| key | type | meaning |\n|---|---|---|\n{rows}"


def _row(part: Field[Any], hint: Any) -> str:  # noqa: ANN401 - see above
    optional = "optional " if Absent in typing.get_args(hint) else ""
    return f"| `{part.name}` | {optional}{_type(hint)} | {part.metadata['about']} |\n"


def _type(hint: Any) -> str:  # noqa: ANN401 - see above
    """Return a type in JSON's words."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [kind for kind in typing.get_args(hint) if kind is not Absent]
        return " or ".join(_type(kind) for kind in kinds)
    if hint is type(None):
        return "null"
    if typing.get_origin(hint) is Sequence:
        return f"array of {_type(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is Mapping:
        return f"object of {_type(typing.get_args(hint)[1])}"
    if is_dataclass(hint) and isinstance(hint, type):
        return f"[{_title(hint)}](#{_title(hint).replace(' ', '-')})"
    return SCALARS[hint]
