"""Values in `.env` reach the containers unchanged."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_compose.render import render, write
from mlflow_compose.settings import declared, load
from mlflow_compose.settings.names import Kind, is_secret_variable, kind_of, mlflow_variables
from mlflow_compose.settings.quoting import quote
from mlflow_compose.targets import COMPOSE
from tests.golden.compose import compose
from tests.unit.samples import built

SETTINGS = dict(declared())
PASSED_ON = [
    name
    for name in sorted(mlflow_variables())
    if kind_of(name, SETTINGS) is Kind.SERVER and not is_secret_variable(name, "")
][:40]

ODD = st.text("'\"\\$#%@ ={}[]&*!|>,:;`~?-\t\n\r" + "aZ0.é漢😀\u2028\u00a0\ufeff", max_size=200)
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
# Text that some parser reads as another type or as its own syntax.
WORDS = """
true no null ~ 0 1e3 0x1f 1_000 .5 .inf 12:30 2026-11-21 = << ${HOME} $$ $ ${ - ? : # ' "
{{x}} %s \\ \\n !tag &a *a @x `x`
"""
# A URL that may contain a password goes to the secret file instead.
VALUES = (ODD | ANY | st.sampled_from(WORDS.split())).filter(lambda value: "://" not in value)


@pytest.mark.docker
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries(dict.fromkeys(PASSED_ON, VALUES)))
def test_any_value_must_reach_the_container_unchanged(written: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".env").write_text(env_text(written), encoding="utf-8", newline="")
        found = load(folder / ".env", {}).settings
        write(render(built(found, COMPOSE)), folder / "compose")
        output = compose(folder / "compose", "config", "--format", "json")
    environment = json.loads(output)["services"]["mlflow"]["environment"]
    # The output is a valid Compose file again, with each $ doubled.
    assert {name: environment[name].replace("$$", "$") for name in PASSED_ON} == written


def env_text(values: dict[str, str]) -> str:
    secrets = {
        "PG_PASSWORD": "pg-password",
        "MINIO_ACCESS_KEY": "app-key",
        "MINIO_SECRET_ACCESS_KEY": "app-secret",
        "MINIO_ROOT_USER": "root",
        "MINIO_ROOT_PASSWORD": "root-password",
    }
    return "".join(f"{name}={quote(value)}\n" for name, value in {**secrets, **values}.items())
