"""Translate the env file of another MLflow stack."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mlflow_compose.settings.envfile import expanded, parse
from mlflow_compose.settings.file_rules import is_secret
from mlflow_compose.settings.load import validate
from mlflow_compose.settings.model import declared
from mlflow_compose.settings.names import BY_MEANING, Kind, kind_of, letters_of, meaning_of
from mlflow_compose.settings.rules import KNOWN_PASSWORDS, check

# Shorter passwords are replaced: they are easy to guess.
SHORTEST = 12
# If one of these hosts is external, its server exists already and needs these passwords.
HOSTS = {
    "PG_HOST": frozenset({"PG_PASSWORD"}),
    "MINIO_HOST": frozenset({"MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"}),
}
# Keys of the S3 server, which is the bundled one unless the file names an external one.
KEYS = {
    "AWS_ACCESS_KEY_ID": "MINIO_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY": "MINIO_SECRET_ACCESS_KEY",
}
# Paths are relative to the folder of the other file.
FILES = frozenset({"PG_SSLROOTCERT", "MINIO_STORAGE_CA_CERTS", "BUILD_CA_CERTS"})
# Settings whose values are written differently here.
SPELLED: Mapping[str, Callable[[str], str]] = {
    "MINIO_CONSOLE_ADDRESS": lambda value: f":{value.removeprefix(':')}",
    "MLFLOW_AUTH": lambda value: "basic" if value == "basic-auth" else value,
    "POSTGRES_IMAGE": lambda value: value if ":" in value else f"postgres:{value}",
}


@dataclass(frozen=True)
class Translation:
    """The translation of another stack's env file.

    Attributes:
        values: Values by setting.
        renamed: Original names by setting, if they differ.
        left_out: Reasons why names are not translated, by original name.
    """

    values: Mapping[str, str] = field(repr=False)
    renamed: Mapping[str, str]
    left_out: Mapping[str, str]


def translate(text: str) -> Translation:
    """Translate the env file of another MLflow stack.

    `${NAME}` is expanded from the file itself, as Compose does. Passwords that are easy to guess
    are left out, so that random ones replace them.
    """
    file = parse(re.sub(r"(?m)^(\s*(?:export\s+)?[A-Z]\w*)\s*:\s+", r"\1=", text))
    values: dict[str, str] = {}
    called: dict[str, str] = {}
    left_out = {f"line {line}": problem for line, problem in file.problems}
    found = expanded(file)
    given = _given(found)
    for name, value in found.items():
        setting = KEYS[name] if KEYS.get(name) in given else _setting(name)
        reason = _reason(name, setting, value, given)
        if reason or setting in values:
            left_out[name] = reason or f"{called[setting]} sets the same"
            continue
        values[setting] = SPELLED.get(setting, str)(value)
        called[setting] = name
    for setting, reason in _unusable(values).items():
        left_out[called[setting]] = f"{setting} {reason}"
        del values[setting]
    renamed = {setting: called[setting] for setting in values if called[setting] != setting}
    return Translation(values, renamed, left_out)


def _setting(name: str) -> str:
    """Return the setting or MLflow server variable that a name stands for, empty if unknown."""
    names = dict(declared())
    if kind_of(name, names) in {Kind.SETTING, Kind.SERVER}:
        return name
    meant = BY_MEANING.get(letters_of(name), "").partition("=")[0]
    return meant if meant in names else ""


def _given(found: Mapping[str, str]) -> frozenset[str]:
    """Return the secrets of external servers, which random ones cannot replace."""
    hosts = (_setting(name) for name, value in found.items() if _is_elsewhere(value))
    return frozenset(secret for host in hosts for secret in HOSTS.get(host, ()))


def _is_elsewhere(host: str) -> bool:
    # A name without a dot is a service in the other stack's Compose file.
    return "." in host and host != "127.0.0.1"


def _reason(name: str, setting: str, value: str, given: frozenset[str]) -> str:
    """Return why a variable is left out of the new file, empty if it is not."""
    if name in KEYS and not setting:
        return "the stack generates its own keys"
    if setting in FILES:
        return f"copy {value} next to the new .env, and set {setting} there"
    if not setting:
        return meaning_of(name) or "the stack sets it itself or does not need it"
    if not value:
        return "it is empty"
    if setting in HOSTS and not _is_elsewhere(value):
        return f"{value} is a service of the other stack; this one has its own"
    is_setting = kind_of(setting, dict(declared())) is Kind.SETTING
    return _weakness(value) if is_setting and is_secret(setting) and setting not in given else ""


def _weakness(value: str) -> str:
    known = value.lower() in KNOWN_PASSWORDS
    if known or len(value) < SHORTEST:
        return f"it is {'well known' if known else 'short'}; a random one replaces it"
    return ""


def _unusable(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the problems of settings, by name."""
    names = [name for name, _ in declared()]
    settings = {name: value for name, value in values.items() if name in names}
    return dict(_problems(settings, names))


def _problems(values: dict[str, str], names: list[str]) -> Iterator[tuple[str, str]]:
    settings, problems = validate(values, {}, names=names)
    wrong = {problem.name: problem.rule for problem in problems if problem.name in values}
    if not wrong:
        wrong = {problem.name: problem.rule for problem in check(settings)}
        wrong = {name: rule for name, rule in wrong.items() if name in values}
    if wrong:
        yield from wrong.items()
        rest = {name: value for name, value in values.items() if name not in wrong}
        yield from _problems(rest, names)
