"""Compare the output of `--json` with the declared payloads, key by key."""

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from mlflow_compose.payloads import BY_COMMAND, Absent, Help, Nothing, Version

ENVELOPE = {"version": int, "command": str, "ok": bool, "data": dict, "errors": list}
ERROR = {"code": str, "message": str, "hint": str | None}


def check_envelope(envelope: Mapping[str, Any]) -> None:
    """Assert that an envelope has exactly the declared keys and types."""
    assert list(envelope) == [*ENVELOPE]
    assert all(isinstance(envelope[key], kind) for key, kind in ENVELOPE.items())
    for error in envelope["errors"]:
        assert list(error) == [*ERROR]
        assert all(isinstance(error[key], kind) for key, kind in ERROR.items())
    payloads: list[type] = [*BY_COMMAND.get(envelope["command"], ()), Help, Version]
    if envelope["errors"]:
        # A command may fail before it has a result.
        payloads.append(Nothing)
    problems = {payload.__name__: mismatch(envelope["data"], payload) for payload in payloads}
    assert "" in problems.values(), f"{envelope['command']}: {problems}\n{envelope['data']}"


def mismatch(value: object, hint: Any, path: str = "data") -> str:  # noqa: ANN401 - a type
    """Return why a JSON value does not match a declared type; empty if it does."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        problems = [mismatch(value, kind, path) for kind in arguments if kind is not Absent]
        return "" if "" in problems else problems[0]
    if origin is Sequence and isinstance(value, list):
        return _first(mismatch(one, arguments[0], f"{path}[]") for one in value)
    if origin is Mapping and isinstance(value, dict):
        return _first(mismatch(one, arguments[1], f"{path}.{name}") for name, one in value.items())
    if is_dataclass(hint) and isinstance(hint, type):
        return _object(value, hint, path)
    kinds: dict[Any, Any] = {Sequence: list, Mapping: dict, float: (float, int)}
    kind = kinds.get(origin or hint, hint)
    is_wrong = not isinstance(value, kind) or (isinstance(value, bool) and hint is not bool)
    return f"{path} is not of type {hint}" if is_wrong else ""


def _object(value: object, payload: type, path: str) -> str:
    if not isinstance(value, dict):
        return f"{path} is not an object"
    hints = typing.get_type_hints(payload)
    declared = [part.name for part in fields(payload)]
    needed = [name for name in declared if Absent not in typing.get_args(hints[name])]
    expected = [name for name in declared if name in value]
    if list(value) != expected or not {*needed} <= {*value}:
        return f"{path} has the keys {', '.join(value)}, not {', '.join(declared)}"
    return _first(mismatch(value[name], hints[name], f"{path}.{name}") for name in expected)


def _first(problems: Iterable[str]) -> str:
    return next(filter(None, problems), "")
