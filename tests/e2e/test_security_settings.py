"""An invalid `.env`: the error names the variable and shows no secret."""

import pytest

from .conftest import MakeStack
from .markers import Markers
from .running import RunningStack, docker_only

pytestmark = docker_only("it never starts anything, so one engine is enough")

MARKER = Markers("secret")
TEXT = MARKER["secret"]
TOO_LONG = TEXT * 20

WRONG = {
    "another setting is wrong": {"MLFLOW_PORT": "70000", "PG_PASSWORD": TEXT},
    "a password is too long": {"PG_PASSWORD": TOO_LONG},
    "a password begins with a space": {"MINIO_ROOT_PASSWORD": f" {TEXT}"},
    "a password holds a control character": {"MINIO_SECRET_ACCESS_KEY": f"{TEXT}\t"},
    "a key id holds a slash": {"MINIO_ACCESS_KEY": f"{TEXT}/"},
    "both key ids are the same": {"MINIO_ACCESS_KEY": TEXT, "MINIO_ROOT_USER": TEXT},
    "a URL is none": {"PIP_INDEX_URL": f"user:{TEXT}@index.invalid"},
    "a secret variable of MLflow's is not text": {"MLFLOW_FLASK_SERVER_SECRET_KEY": f"{TEXT}\0"},
    "a name is unknown": {"PG_PASWORD": TEXT},
    "a name is decided by another": {"MLFLOW_AUTH_ADMIN_PASSWORD": TEXT},
}
UNREADABLE = {
    "a colon": f"PG_PASSWORD: {TEXT}",
    "an open quote": f"PG_PASSWORD='{TEXT}",
    "an open quote after export": f'export PG_PASSWORD="{TEXT}',
    "something behind the quote": f"PG_PASSWORD='{TEXT}' {TEXT}",
    "no name": f"= {TEXT}",
    "only the secret": TEXT,
}
COMMANDS = ("up", "config --json")


@pytest.fixture(scope="module")
def unstarted(_make_for_module: MakeStack) -> RunningStack:
    """Return a stack that is never started, only misconfigured."""
    return _make_for_module()


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_must_not_show_a_secret(
    unstarted: RunningStack, values: dict[str, str]
) -> None:
    with unstarted.changed(**values):
        expect_refusal(unstarted)


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_line_must_not_show_a_secret(unstarted: RunningStack, line: str) -> None:
    with unstarted.changed():
        with unstarted.env_file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        expect_refusal(unstarted)


def test_a_wrong_secret_in_the_environment_must_not_show(unstarted: RunningStack) -> None:
    expect_refusal(unstarted, PG_PASSWORD=TOO_LONG)


def test_a_refused_init_must_not_show_a_secret(unstarted: RunningStack) -> None:
    with unstarted.changed():
        unstarted.env_file.unlink()
        output = unstarted.tool("init", "--set", f"PG_PASSWORD={TOO_LONG}", code=2)
        assert "PG_PASSWORD" in output.err
        assert MARKER.found_in(output.text) == set()
        assert not unstarted.env_file.exists()


def expect_refusal(stack: RunningStack, **environment: str) -> None:
    """Assert that commands fail because of the settings and show no secret."""
    for command in COMMANDS:
        output = stack.tool(*command.split(), code=2, **environment)
        assert output.text.strip()
        assert MARKER.found_in(output.text) == set()
