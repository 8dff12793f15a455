"""`init --from` translates the env file of another MLflow stack."""

import pytest

from mlflow_compose.settings import translate
from mlflow_compose.settings.envfile import parse
from tests.styles import STYLES, styled
from tests.unit.conftest import User


@pytest.mark.parametrize("style", STYLES)
def test_every_variable_must_be_translated_or_reported_as_omitted(style: str) -> None:
    _, values, left_out = STYLES[style]
    found = translate(styled(style))
    assert values.items() <= found.values.items()
    assert {*left_out} <= found.left_out.keys()
    assert all(found.left_out.values())
    # Each name is accounted for, once.
    names = parse(styled(style).replace(": ", "=")).values.keys()
    taken = {found.renamed.get(setting, setting) for setting in found.values}
    assert taken | found.left_out.keys() == names
    assert not taken & found.left_out.keys()


@pytest.mark.parametrize("style", STYLES)
def test_the_new_env_file_must_be_valid_and_have_no_known_passwords(style: str, user: User) -> None:
    (user.folder / "theirs.env").write_text(styled(style), encoding="utf-8")
    assert user.types("init", "--from", "theirs.env").code == 0
    written = parse((user.folder / ".env").read_text(encoding="utf-8")).values
    assert STYLES[style][1].items() <= written.items()
    assert user.types("config").code == 0
    assert not {"mlflow", "minio", "minio123", "minioadmin", "postgres"} & {
        value for name, value in written.items() if "PASSWORD" in name or "KEY" in name
    }


def test_the_translation_must_be_reported_without_passwords(user: User) -> None:
    (user.folder / "theirs.env").write_text(styled("postgres and a bucket"), encoding="utf-8")
    output = user.types("init", "--from", "theirs.env", "--set", "MLFLOW_PORT=5051")
    assert "POSTGRES_USER is PG_USER here" in output.out
    assert "POSTGRES_PASSWORD is left out: it is well known; a random one replaces it" in output.out
    assert "s3admin" not in output.out
    text = (user.folder / ".env").read_text(encoding="utf-8")
    assert parse(text).values["MLFLOW_PORT"] == "5051"


def test_a_missing_source_file_must_be_reported(user: User) -> None:
    output = user.types("init", "--from", "nothing.env")
    assert output.code == 2
    assert "nothing.env does not exist" in output.err
    assert not (user.folder / ".env").exists()


def test_a_dollar_sign_must_be_read_as_compose_reads_it() -> None:
    host = "PG_HOST=db.example.org\n"
    for written in ("ab$$cd", '"ab\\$cd"', "'ab$cd'", '"ab$$cd"'):
        assert translate(f"{host}PG_PASSWORD={written}\n").values["PG_PASSWORD"] == "ab$cd"


def test_a_line_that_cannot_be_parsed_must_be_reported() -> None:
    found = translate('MLFLOW_PORT="5001\nPG_USER=me\n')
    assert "a quote is not closed" in found.left_out["line 1"]
