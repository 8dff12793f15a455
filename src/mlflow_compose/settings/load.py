"""Turn an env file and the environment into settings, or into one error with every problem."""

import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from mlflow_compose.errors import SettingsError
from mlflow_compose.settings.envfile import EnvFile, read
from mlflow_compose.settings.fields import generated_of
from mlflow_compose.settings.file_rules import is_secret, name_problems, notes, reference_problems
from mlflow_compose.settings.model import Settings, declared
from mlflow_compose.settings.names import Kind, kind_of
from mlflow_compose.settings.problem import Problem, fit_to_print
from mlflow_compose.settings.profiles import PROFILE, profile_of
from mlflow_compose.settings.rules import check
from mlflow_compose.settings.tls_rules import check_certificate

ENVIRONMENT = "environment"
DEFAULT = "default"

UNSET = "is not set; use a long random string of letters and digits"
# Replaces a missing or invalid secret, so that the other settings can be checked.
_PLACEHOLDER = "placeholder"
LIST_HINT = "mlflow-compose config --list shows every setting"
INIT_HINT = (
    "give the file another name, such as my.env; then mlflow-compose init --from my.env creates "
    ".env with its settings and random secrets"
)
# Characters of a name, in the list of problems.
WIDEST_NAME = 40


@dataclass(frozen=True)
class Loaded:
    """Settings, and where they come from.

    Attributes:
        settings: Validated settings.
        sources: Origin by variable: the env file's name, "environment", "STACK_PROFILE" or
            "default".
        overrides: Variables whose value the environment changes.
        foreign: Names in the env file that belong to other applications.
        notes: Remarks about the env file that are not errors.
    """

    settings: Settings
    sources: Mapping[str, str]
    overrides: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def load(env_file: Path, environ: Mapping[str, str]) -> Loaded:
    """Read an env file; the environment takes precedence, as in Compose.

    Raises:
        EnvFileError: The file is missing or unreadable.
        SettingsError: Some settings are wrong; the message lists all of them.
    """
    # Relative paths in it start at its real location; errors name it as the user typed it.
    return resolve(read(env_file), environ, env_file=env_file.resolve())


def resolve(file: EnvFile, environ: Mapping[str, str], *, env_file: Path) -> Loaded:
    """Return the settings of an env file and the environment.

    Raises:
        SettingsError: Some settings are wrong; the message lists all of them.
    """
    names = dict(declared())
    kinds = {name: kind_of(name, names) for name in file.values}
    profile = profile_of({**file.values, **environ})
    server = {name for name, kind in kinds.items() if kind is Kind.SERVER}
    server |= profile.keys() - names.keys()
    known = {*names, *server}
    overrides = {name: environ[name] for name in sorted(known & environ.keys())}
    written = {**profile, **file.values, **overrides}
    values = {name: written[name] for name in names if name in written}
    settings, problems = validate(
        values, {name: written[name] for name in sorted(server)}, names=list(names)
    )
    problems += name_problems(file, kinds, names)
    problems += reference_problems(file, kinds, overrides)
    unreadable = {rule.split(maxsplit=1)[0].rstrip(":") for _, rule in file.problems}
    problems = [problem for problem in problems if problem.name not in unreadable]
    problems += [Problem(f"line {line}", rule) for line, rule in file.problems]
    failed = {problem.name for problem in problems} | unreadable
    problems += [
        problem
        for problem in (*check(settings), *_problems_of_files(settings, env_file.parent))
        if failed.isdisjoint({problem.name, *problem.involves})
    ]
    if problems:
        raise _error(problems, env_file.name, overrides)
    return Loaded(
        settings=settings,
        sources={
            **dict.fromkeys((*names, *sorted(server)), DEFAULT),
            **dict.fromkeys(profile, PROFILE),
            **dict.fromkeys((name for name in file.values if name in known), env_file.name),
            **dict.fromkeys(overrides, ENVIRONMENT),
        },
        overrides=tuple(name for name in overrides if overrides[name] != file.values.get(name)),
        foreign=tuple(sorted(name for name, kind in kinds.items() if kind is Kind.FOREIGN)),
        notes=notes(file, kinds),
    )


def validate(
    values: Mapping[str, str], server: Mapping[str, str], *, names: list[str]
) -> tuple[Settings, list[Problem]]:
    """Return settings, and the problems of single values, which are replaced by placeholders.

    Args:
        values: Values by name, as written in an env file.
        server: Variables of MLflow's server.
        names: Names of all settings, in order.
    """

    def build(given: Mapping[str, Any]) -> Settings:
        return Settings(**given, SERVER_VARIABLES=server)

    try:
        return build(values), []
    except ValidationError as error:
        details = {str(detail["loc"][0]): detail for detail in error.errors()}
    placeholders = {
        name: _PLACEHOLDER + name[:9]
        for name, info in declared()
        if name in details and generated_of(info)
    }
    good = {name: value for name, value in values.items() if name not in details}
    settings = build({**good, **placeholders})
    # An empty secret counts as missing, as in `.env.example`.
    missing = {name for name in details if not values.get(name)}
    unused = missing & settings.unused_secrets
    empty = {name.lower(): SecretStr("") for name in unused}
    return settings.model_copy(update=empty), [
        Problem(name, _rule(details[name])) for name in names if name in {*details} - unused
    ]


def _rule(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return UNSET
    got = detail["input"]
    secret = is_secret(str(detail["loc"][0]))
    shown = "" if secret else f", got {got if str(got) else 'an empty value'}"
    if detail["type"] == "literal_error":
        return f"must be {detail['ctx']['expected'].replace(chr(39), '')}{shown}"
    if detail["type"] == "value_error":
        return f"{detail['ctx']['error']}{shown}"
    # A variable of the environment may contain any bytes.
    return f"must be valid UTF-8{shown}"


def _problems_of_files(settings: Settings, directory: Path) -> Iterator[Problem]:
    yield from check_certificate(settings, directory)
    files = {
        "BUILD_CA_CERTS": settings.build_ca_certs,
        "PG_SSLROOTCERT": settings.pg_sslrootcert,
        "MINIO_STORAGE_CA_CERTS": settings.minio_storage_ca_certs,
    }
    for name, given in files.items():
        if given and (rule := _rule_of_file(directory / given)):
            yield Problem(name, f"{rule}, got {given}")


def _rule_of_file(path: Path) -> str:
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        is_file = False
    except OSError as error:
        return f"must be a readable file ({error.strerror})"
    return "" if is_file else "must be an existing file"


def _error(problems: list[Problem], source: str, overrides: Collection[str]) -> SettingsError:
    found = [(fit_to_print(problem.name), problem) for problem in problems]
    width = min(max(len(name) for name, _ in found), WIDEST_NAME)
    count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
    verb = "is" if len(problems) == 1 else "are"
    lines = [f"{count} in {source} {verb} wrong"]
    for name, problem in found:
        origin = " (from the environment)" if problem.name in overrides else ""
        lines.append(f"{name:<{width}}  {fit_to_print(problem.rule)}{origin}")
    # More than one: the file was not made by `init`.
    written = sum(problem.rule == UNSET for problem in problems) > 1
    return SettingsError("\n  ".join(lines), hint=INIT_HINT if written else LIST_HINT)
