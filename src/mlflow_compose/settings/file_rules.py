"""Problems of an env file other than the values of settings, and notes about it."""

from collections.abc import Collection, Iterator, Mapping

from pydantic import SecretStr

from mlflow_compose.settings.envfile import EnvFile
from mlflow_compose.settings.model import Settings
from mlflow_compose.settings.names import (
    DECIDED_BY,
    Kind,
    is_secret_variable,
    meaning_of,
    suggestion,
)
from mlflow_compose.settings.problem import Problem


def notes(file: EnvFile, kinds: Mapping[str, Kind]) -> tuple[str, ...]:
    """Return notes about an env file: unusual content that is not an error."""
    return (*file.notes, *_reference_notes(file, kinds), *_meaning_notes(kinds))


def is_secret(name: str) -> bool:
    """Tell whether the value of a setting must not be shown."""
    return Settings.model_fields[name.lower()].annotation is SecretStr


def name_problems(
    file: EnvFile, kinds: Mapping[str, Kind], names: Mapping[str, object]
) -> list[Problem]:
    """Return the problems of the names in an env file; `names` are those of all settings."""
    return [
        Problem(name, rule)
        for name, kind in kinds.items()
        for rule in _rules_of_name(name, kind, file.lines[name], names)
    ]


def _rules_of_name(
    name: str, kind: Kind, lines: tuple[int, ...], names: Mapping[str, object]
) -> Iterator[str]:
    if kind is Kind.UNKNOWN:
        yield suggestion(name, list(names))
    if kind is Kind.DECIDED:
        yield f"is managed by the stack; set {DECIDED_BY[name]} instead"
    if len(lines) > 1 and kind is not Kind.FOREIGN:
        yield f"is set {len(lines)} times (lines {', '.join(map(str, lines))}); keep one"


def reference_problems(
    file: EnvFile, kinds: Mapping[str, Kind], overrides: Collection[str]
) -> list[Problem]:
    """Return a problem for each secret that refers to another variable.

    Used literally, it would be a password that others can guess.
    """
    rule = (
        "contains ${…} or $NAME, which is not expanded; write the value itself, in single quotes "
        "if the $ is part of it"
    )
    return [
        Problem(name, rule)
        for name in sorted(file.references - {*overrides})
        if _is_secret_name(name, kinds[name], file.values[name])
    ]


def _reference_notes(file: EnvFile, kinds: Mapping[str, Kind]) -> Iterator[str]:
    for name in sorted(file.references):
        if kinds[name] in {Kind.SETTING, Kind.SERVER}:
            yield f"{name} contains ${{…}} or $NAME, which is not expanded"
    used = [name for name, kind in kinds.items() if kind in {Kind.SETTING, Kind.SERVER}]
    if names := sorted({*used} & (file.differing - file.references)):
        yield (
            f"Docker Compose would read {' and '.join(names)} differently because of a $, \\ or #; "
            "the stack uses the literal value"
        )


def _meaning_notes(kinds: Mapping[str, Kind]) -> Iterator[str]:
    for name, kind in kinds.items():
        if kind is Kind.FOREIGN and (meaning := meaning_of(name)):
            yield f"{name} is not used by the stack; {meaning}"


def _is_secret_name(name: str, kind: Kind, value: str) -> bool:
    if kind is Kind.SERVER:
        return is_secret_variable(name, value)
    return kind is Kind.SETTING and is_secret(name)
