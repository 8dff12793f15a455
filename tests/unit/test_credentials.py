"""Every server reads its secrets, by its own parsing rules, exactly as the user wrote them."""

import configparser
import subprocess
import tempfile
from pathlib import Path

import pytest
from botocore.configloader import raw_config_parse
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.stack import Stack, credentials, postgres_logins
from tests.unit.samples import IDENTITY, settings, stack
from tests.unit.samples import SECRETS as SAMPLE_SECRETS

# Characters that the settings allow.
SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=12, max_size=200
).filter(lambda text: text == text.strip())
ODD = "p@ss w'or$d\"\\#%; é=[x]"

# MLflow accepts no other characters in logins.
PASSWORDS = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=12, max_size=200
).map(lambda text: f"{text[:6]} {text[6:]}")


def secret(found: Stack, name: str) -> str:
    return next(secret.text for secret in found.secrets if secret.name == name)


@given(SECRETS)
def test_an_s3_secret_must_be_read_by_botocore_as_it_was_written(text: str) -> None:
    with tempfile.NamedTemporaryFile() as file:
        found = credentials.app_key(settings(MINIO_SECRET_ACCESS_KEY=text))
        Path(file.name).write_text(found.text, encoding="utf-8")
        profile = raw_config_parse(file.name)["default"]
    assert profile["aws_secret_access_key"] == text


@given(PASSWORDS)
def test_the_admins_password_must_be_read_by_configparser_as_it_was_written(text: str) -> None:
    found = settings(MLFLOW_AUTH="basic", MLFLOW_ADMIN_PASSWORD=text, MLFLOW_ADMIN_USERNAME="a%s$")
    parser = configparser.ConfigParser()
    parser.read_string(credentials.auth_config(found, "sqlite:////data/mlflow.db").text)
    assert parser["mlflow"]["admin_password"] == text
    assert parser["mlflow"]["admin_username"] == "a%s$"


@pytest.mark.parametrize("text", [ODD, "'", "it's", "$(id)", "`id`", "a\nb", "\\", "", "-n"])
def test_a_secret_variable_must_be_read_by_a_shell_as_it_was_written(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "mlflow_env"
    file.write_text(
        secret(stack(MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY=text), "mlflow_env"), encoding="utf-8"
    )
    script = f'. {file}; printf %s "$MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"'
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    assert done.stdout.decode() == text


@given(SECRETS)
def test_a_database_password_must_stay_on_one_line_that_libpq_can_hold(text: str) -> None:
    lines = postgres_logins.service(settings(PG_PASSWORD=text), ("postgres", 5432), "").text.split(
        "\n"
    )
    assert f"password={text}" in lines
    # libpq's buffer: https://github.com/postgres/postgres/blob/REL_18_0/src/interfaces/libpq/fe-connect.c
    assert max(len(line.encode()) for line in lines) < 1023


def test_the_database_must_be_reached_by_its_name_in_the_network() -> None:
    text = secret(stack(PG_PORT="5433", PG_USER="u", PG_DATABASE="d"), "pg_service.conf")
    assert text.splitlines()[:5] == [
        "[mlflow]",
        "host=postgres",
        "port=5432",
        "dbname=d",
        "user=u",
    ]


def test_the_server_must_read_its_root_key_without_a_line_break() -> None:
    found = stack(MINIO_ROOT_USER="root-user", MINIO_ROOT_PASSWORD=ODD)
    assert secret(found, "minio_root_user") == "root-user"
    assert secret(found, "minio_root_password") == ODD


def test_a_service_must_only_see_its_own_secrets() -> None:
    parser = configparser.ConfigParser()
    parser.read_string(secret(stack(MLFLOW_AUTH="basic"), "basic_auth.ini"))
    assert parser["mlflow"]["default_permission"] == "NO_PERMISSIONS"


def test_the_secret_key_of_login_forms_must_be_stable_and_not_guessable() -> None:
    def key(**values: str) -> str:
        return secret(stack(MLFLOW_AUTH="basic", **values), "mlflow_env")

    assert key() == key()
    assert key() != key(PG_PASSWORD="another")
    assert key() != key(MLFLOW_ADMIN_PASSWORD="another-password")
    assert "MLFLOW_FLASK_SERVER_SECRET_KEY=mine" in key(MLFLOW_FLASK_SERVER_SECRET_KEY="mine")


def test_mlflow_must_send_the_id_of_its_stack() -> None:
    lines = secret(stack(COMPOSE_PROJECT_NAME="lab"), "mlflow_env").splitlines()
    assert f"export UVICORN_HEADERS=mlflow-compose-stack:{IDENTITY}/lab" in lines


def test_the_passphrase_of_gateway_keys_must_be_stable_and_not_guessable() -> None:
    """Stored keys could not be decrypted with another one, so no other setting may change it."""

    def passphrase(**values: str) -> str:
        text = secret(stack(**{"MLFLOW_AUTH": "basic", **values}), "mlflow_env")
        return next(line for line in text.splitlines() if "MLFLOW_CRYPTO_KEK_PASSPHRASE=" in line)

    changed = {name: f"another-{name.lower()}" for name in SAMPLE_SECRETS if name != "PG_PASSWORD"}
    assert passphrase() == passphrase(**changed) == passphrase(MLFLOW_AUTH="none")
    assert passphrase() != passphrase(PG_PASSWORD="another")
    assert "development" not in passphrase()
    assert len(passphrase()) > 64
    assert passphrase(MLFLOW_CRYPTO_KEK_PASSPHRASE="mine").endswith("=mine")


def test_a_key_in_the_upload_arguments_must_also_be_masked_on_its_own() -> None:
    arguments = '{"ServerSideEncryption": "aws:kms", "SSECustomerKey": "key-of-customers"}'
    found = stack(MLFLOW_S3_UPLOAD_EXTRA_ARGS=arguments)
    assert found.mask(arguments) == "********"
    assert found.mask("key-of-customers, aws:kms") == "********, aws:kms"
