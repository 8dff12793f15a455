"""A marker in every secret must only appear in `.env` and in `compose/secrets/`."""

import os
from pathlib import Path

import pytest

from mlflow_compose.actions import load_plan, read_settings
from mlflow_compose.settings import Settings, declared
from mlflow_compose.settings.envfile import read
from mlflow_compose.settings.names import is_secret_variable, kind_of, mlflow_variables
from tests.unit.conftest import User

MARKER = "m4rk3r"
# The secret variables of MLflow's server.
SERVER = [
    name
    for name in sorted(mlflow_variables())
    if is_secret_variable(name, "") and kind_of(name, dict(declared())).value == "server"
]
OURS = [
    name
    for name, _ in declared()
    if "SecretStr" in str(Settings.model_fields[name.lower()].annotation)
]


# Of a class: one that others are derived from, and one that only the tool itself reads.
NOT_RENDERED = {"CLASS_SECRET", "CLASS_PASSWORD"}


def marked(name: str) -> str:
    value = f"{MARKER}-{name.lower()}"
    return f"https://user:{value}@mirror/simple" if name == "PIP_INDEX_URL" else value


@pytest.fixture
def lines() -> list[str]:
    """Return the lines of an env file with a marker in every secret."""
    return [f"{name}={marked(name)}" for name in (*OURS, *SERVER)] + [
        "MLFLOW_AUTH=basic",
        "JUPYTER=true",
        "PGADMIN=true",
    ]


def test_the_lists_of_secrets_must_not_be_empty() -> None:
    assert len(OURS) >= 7
    assert {"MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_UC_OSS_TOKEN"} <= set(SERVER)


@pytest.mark.parametrize(
    "argv",
    [
        ("config",),
        ("config", "--json"),
        ("render", "--diff"),
        ("render", "--diff", "--json"),
        ("render", "--check"),
        ("render",),
        ("render", "--json"),
        ("init",),
        ("status",),
        ("up", "--no-verify"),
        ("down", "--json"),
    ],
)
def test_no_command_must_print_a_secret(
    user: User, monkeypatch: pytest.MonkeyPatch, lines: list[str], argv: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", str(user.folder))
    user.has_env("STACK_ENGINE=docker", *lines)
    result = user.types(*argv)
    assert result.out + result.err
    assert MARKER not in result.out + result.err


@pytest.mark.parametrize("wrong", [*OURS, *SERVER])
def test_no_error_must_print_a_secret(user: User, lines: list[str], wrong: str) -> None:
    """The secret is invalid, and so are other settings."""
    user.has_env(*lines, "MLFLOW_PORT=0", "MLFLOW_BUKET=1", f"{wrong}={MARKER} twice")
    for argv in (["config"], ["config", "--json"]):
        result = user.types(*argv)
        assert result.code == 2
        assert wrong in result.out + result.err
        assert MARKER not in result.out + result.err


@pytest.mark.parametrize("name", OURS)
def test_no_error_about_a_secret_must_print_it(user: User, lines: list[str], name: str) -> None:
    rest = [line for line in lines if not line.startswith(f"{name}=")]
    for value in (f'"{MARKER}\\n{MARKER}"', f"' {MARKER}'", f"{MARKER}{'x' * 300}", f"'{MARKER}"):
        user.has_env(*rest, f"{name}={value}")
        result = user.types("config", "--json")
        assert MARKER not in result.out + result.err


def test_no_rendered_file_outside_secrets_must_contain_a_secret(
    user: User, lines: list[str]
) -> None:
    user.has_env(*lines)
    user.types("render")
    compose = user.folder / "compose"
    holders = {path.relative_to(compose).parts[0] for path in files(compose) if holds(path)}
    assert holders == {"secrets"}


def test_every_secret_must_be_in_a_file_in_secrets(user: User, lines: list[str]) -> None:
    user.has_env(*lines)
    user.types("render")
    texts = [path.read_text(encoding="utf-8") for path in files(user.folder / "compose/secrets")]
    for name in {*OURS, *SERVER} - NOT_RENDERED:
        assert any(marked(name) in text for text in texts), name


def test_no_repr_must_show_a_secret(user: User, lines: list[str]) -> None:
    user.has_env(*lines)
    plan = load_plan(*read_settings(user.env_file, {}), {})
    assert MARKER not in repr(read(user.env_file))
    assert MARKER not in repr(plan)
    assert MARKER not in repr(plan.loaded.settings)
    assert MARKER not in repr(plan.stack)
    assert MARKER not in repr(plan.rendering())
    assert MARKER not in str(plan.loaded.settings)
    assert MARKER not in plan.loaded.settings.model_dump_json()


def test_secrets_from_the_environment_must_not_be_shown_either(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.has_env()
    monkeypatch.setenv("PG_PASSWORD", f"{MARKER}\n")
    result = user.types("config")
    assert result.code == 2
    assert MARKER not in result.err
    monkeypatch.setenv("PG_PASSWORD", MARKER)
    assert MARKER not in user.types("config").out
    user.types("render")
    assert MARKER in (user.folder / "compose/secrets/pg_password").read_text(encoding="utf-8")
    assert MARKER not in user.compose_file.read_text(encoding="utf-8")


def files(folder: Path) -> list[Path]:
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]


def holds(path: Path) -> bool:
    return MARKER in path.read_text(encoding="utf-8")
