"""Where settings come from, what may be set, and how other names are handled."""

import math
import re
from itertools import cycle
from pathlib import Path

import mlflow.environment_variables
import pytest
from pydantic.fields import FieldInfo

from mlflow_compose.errors import SettingsError
from mlflow_compose.settings import Settings, declared, example_text, load
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.example import ALPHABET, default_text, new_env_text
from mlflow_compose.settings.fields import generated_of, section_of
from mlflow_compose.settings.load import resolve
from mlflow_compose.settings.names import (
    BY_MEANING,
    DECIDED_BY,
    UNLISTED,
    Kind,
    is_secret_variable,
    kind_of,
    mlflow_variables,
)
from mlflow_compose.settings.profiles import DEPENDS_ON_PROFILE
from mlflow_compose.settings.server import PINNED_MLFLOW
from tests.unit.conftest import User
from tests.unit.samples import SECRETS, env_text, loaded, settings


def test_the_environment_must_take_precedence_over_the_file() -> None:
    found = loaded({"MLFLOW_PORT": "5002", "PATH": "/bin"}, MLFLOW_PORT="5001")
    assert found.settings.mlflow_port == 5002
    assert found.sources["MLFLOW_PORT"] == "environment"
    assert found.sources["PG_PASSWORD"] == ".env"
    assert found.sources["MINIO_PORT"] == "default"
    assert found.overrides == ("MLFLOW_PORT",)


def test_the_same_value_in_environment_and_file_must_not_count_as_a_change() -> None:
    assert loaded({"MLFLOW_PORT": "5001"}, MLFLOW_PORT="5001").overrides == ()


def test_an_unknown_name_in_the_environment_must_not_be_an_error() -> None:
    """A shell has many variables; only the file belongs to the stack."""
    assert loaded({"MLFLOW_BUKET_NAME": "x", "STACK_X": "y"}).overrides == ()


def test_the_settings_must_never_read_the_environment_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "5009")
    assert settings().mlflow_port == 5000


def test_settings_must_be_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().mlflow_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(("name", "info"), list(declared()))
def test_every_setting_must_have_a_description_and_a_section(name: str, info: FieldInfo) -> None:
    about = info.description or ""
    assert about[:1].isupper(), name
    assert about.endswith("."), name
    assert section_of(info), name


@pytest.mark.parametrize(("name", "info"), list(declared()))
def test_every_default_must_be_a_valid_value(name: str, info: FieldInfo) -> None:
    if name in SECRETS:
        assert generated_of(info)
        assert default_text(info) == ""
    else:
        assert loaded(**{name: default_text(info)}).settings == settings()


def test_the_example_must_contain_every_setting_once_and_no_secret() -> None:
    file = parse(example_text())
    fixed = [name for name, _ in declared() if name not in DEPENDS_ON_PROFILE]
    assert list(file.values) == fixed
    assert all(len(lines) == 1 for lines in file.lines.values())
    assert {name for name in SECRETS if file.values[name]} == set()


def test_a_new_file_must_differ_from_the_example_only_in_secrets() -> None:
    letters = cycle(ALPHABET[:-1])
    text = new_env_text({}, choice=lambda _: next(letters))
    new = parse(text)
    assert new.values.keys() == SECRETS.keys()
    assert resolve(new, {}, env_file=Path(".env")).foreign == ()
    everything = parse(re.sub(r"^#(?=[A-Z])", "", text, flags=re.MULTILINE)).values
    example = re.sub(r"^#(?=[A-Z])", "", example_text(), flags=re.MULTILINE)
    assert everything == {**parse(example).values, **new.values}


def test_random_secrets_must_be_too_long_to_guess() -> None:
    for name, info in declared():
        if generated := generated_of(info):
            assert generated.length * math.log2(len(ALPHABET)) > 100, name
            assert 20 <= generated.length <= 40, name


def test_the_example_must_not_be_accepted_as_an_env_file(user: User) -> None:
    user.env_file.write_text(example_text(), encoding="utf-8")
    result = user.types("config")
    assert result.code == 2
    assert "5 settings in .env are wrong" in result.err


def test_the_pinned_mlflow_must_be_the_installed_one() -> None:
    assert mlflow.version.VERSION == PINNED_MLFLOW


def test_the_list_of_mlflows_variables_must_match_mlflow() -> None:
    defined = {
        variable.name
        for variable in vars(mlflow.environment_variables).values()
        if isinstance(variable, mlflow.environment_variables._EnvironmentVariable)
    }
    listed = {name for name in defined if name.startswith("MLFLOW_")}
    assert mlflow_variables() - UNLISTED == listed
    assert not UNLISTED & listed


def test_no_setting_must_share_its_name_with_a_variable_of_mlflow() -> None:
    assert {name for name, _ in declared()} & mlflow_variables() == set()


def test_every_variable_that_the_stack_manages_must_have_a_setting() -> None:
    assert set(DECIDED_BY) <= mlflow_variables()
    assert set(DECIDED_BY.values()) <= {name for name, _ in declared()}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MLFLOW_PORT", Kind.SETTING),
        ("MLFLOW_SERVER_JUDGE_INVOKE_MAX_WORKERS", Kind.SERVER),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", Kind.SERVER),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", Kind.SERVER),
        ("MLFLOW_AUTH_CONFIG_PATH", Kind.DECIDED),
        ("MLFLOW_TRACKING_URI", Kind.FOREIGN),
        ("MLFLOW_EXPERIMENT_NAME", Kind.FOREIGN),
        ("MLFLOW_RUN_ID", Kind.FOREIGN),
        ("MLFLOW_S3_ENDPOINT_URL", Kind.FOREIGN),
        ("MLFLOW_WORKSPACE", Kind.FOREIGN),
        ("MLFLOW_WORKSPACE_ARTIFACT_ROOT_CACHE_CAPACITY", Kind.SERVER),
        ("MLFLOW_TRACKING_URL", Kind.UNKNOWN),
        ("MLFLOW_NOTHING", Kind.UNKNOWN),
        ("POSTGRES_USER", Kind.UNKNOWN),
        ("CLASS_SIZE", Kind.UNKNOWN),
        ("mlflow_auth", Kind.UNKNOWN),
        ("MLFLOW-AUTH", Kind.UNKNOWN),
        ('"MLFLOW_AUTH"', Kind.UNKNOWN),
        ("\u200bMLFLOW_AUTH", Kind.UNKNOWN),
        ("\ufeffPG_PASSWORD", Kind.UNKNOWN),
        ("MYSQL_USER", Kind.FOREIGN),
        ("AWS_REGION", Kind.FOREIGN),
        ("AWS_ACCESS_KEY_ID", Kind.FOREIGN),
        ("AWS_DEFAULT_REGION", Kind.SETTING),
        ("COMPOSE_PROFILES", Kind.FOREIGN),
        ("COMPOSE_PROJECT_NAME", Kind.SETTING),
        ("DOCKER_HOST", Kind.FOREIGN),
        ("DATABASE_URL", Kind.FOREIGN),
    ],
)
def test_a_name_must_be_classified_by_its_owner(name: str, kind: Kind) -> None:
    assert kind_of(name, dict(declared())) is kind


@pytest.mark.parametrize(
    ("name", "translation"),
    [
        ("POSTGRES_USER", "PG_USER"),
        ("POSTGRES_DB", "PG_DATABASE"),
        ("S3_PORT", "MINIO_PORT"),
        ("MINIO_PORT_UI", "MINIO_CONSOLE_ADDRESS=:PORT"),
        ("MLFLOW_HOST", "STACK_BIND_ADDRESS"),
        ("MLFLOW_APP_NAME", "MLFLOW_AUTH=basic"),
        ("PG_VERSION", "POSTGRES_IMAGE"),
    ],
)
def test_a_name_from_another_stack_must_be_translated(name: str, translation: str) -> None:
    text = env_text(f"{name}=1")
    with pytest.raises(SettingsError, match=f"{name} +is not a setting; use {translation} instead"):
        resolve(parse(text), {}, env_file=Path(".env"))


@pytest.mark.parametrize("name", ["AWS_REGION", "MLFLOW_S3_ENDPOINT_URL", "MYSQL_PASSWORD"])
def test_a_name_that_the_stack_does_not_use_must_be_noted(name: str) -> None:
    found = resolve(parse(env_text(f"{name}=1")), {}, env_file=Path(".env"))
    assert [note for note in found.notes if note.startswith(f"{name} is not used by the stack")]


def test_every_translation_must_lead_to_a_setting() -> None:
    names = {name for name, _ in declared()}
    words = {
        word for translation in BY_MEANING.values() for word in re.findall(r"\w+_\w+", translation)
    }
    assert words <= names
    assert not names & BY_MEANING.keys()


@pytest.mark.parametrize(
    "line",
    [
        "MLFLOW_ADMIN_PASSWORD=${ADMIN_PASSWORD:-admin}",
        'PG_PASSWORD="${PG_PASSWORD}"',
        "MINIO_ROOT_PASSWORD=$ROOT_PASSWORD",
        "MLFLOW_FLASK_SERVER_SECRET_KEY=$KEY",
    ],
)
def test_a_secret_that_refers_to_another_variable_must_be_rejected(line: str) -> None:
    with pytest.raises(SettingsError, match="which is not expanded"):
        resolve(parse(env_text(line)), {}, env_file=Path(".env"))


@pytest.mark.parametrize("value", ["'p@ss$word'", "'pa$$word'", "100$", "a$1"])
def test_a_literal_dollar_sign_must_be_accepted(value: str) -> None:
    found = resolve(parse(env_text(f"PG_PASSWORD={value}")), {}, env_file=Path(".env"))
    assert found.settings.pg_password.get_secret_value() == value.strip("'")
    assert found.notes == ()


def test_values_that_compose_reads_differently_must_be_noted_once_and_not_shown() -> None:
    text = env_text("PG_PASSWORD=pa$$word-of-theirs", r"PG_USER='a\\b'", "OTHER=a$$b")
    (note,) = resolve(parse(text), {}, env_file=Path(".env")).notes
    assert note.startswith("Docker Compose would read PG_PASSWORD and PG_USER differently")
    assert "word-of-theirs" not in note


def test_a_reference_in_a_setting_that_is_not_secret_must_be_read_literally_and_noted() -> None:
    found = resolve(parse(env_text("PG_USER=$USER")), {}, env_file=Path(".env"))
    assert found.settings.pg_user == "$USER"
    assert [note.startswith("PG_USER contains ${…} or $NAME") for note in found.notes] == [True]


ROOT_KEY = {"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"}
APP_KEY = {"MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ((), {"PG_PASSWORD"} | ROOT_KEY | APP_KEY),
        (("BACKEND_STORE=sqlite",), ROOT_KEY | APP_KEY),
        (("S3_PROVIDER=rclone",), {"PG_PASSWORD"} | APP_KEY),
        (("STACK_ENGINE=local",), {"PG_PASSWORD"} | APP_KEY),
        (("MINIO_HOST=s3.lab",), {"PG_PASSWORD"} | APP_KEY),
        (("MINIO_HOST=aws",), {"PG_PASSWORD"} | APP_KEY),
        (("ARTIFACT_STORE=local", "BACKEND_STORE=sqlite"), set()),
    ],
)
def test_only_secrets_that_the_stores_use_must_be_required(
    lines: tuple[str, ...], missing: set[str]
) -> None:
    text = env_text(*lines, without=["PG_PASSWORD", *ROOT_KEY, *APP_KEY])
    if missing:
        with pytest.raises(SettingsError) as caught:
            resolve(parse(text), {}, env_file=Path(".env"))
        assert set(re.findall(r"(\w+) +is not set", caught.value.message)) == missing
    else:
        assert resolve(parse(text), {}, env_file=Path(".env")).settings
        empty = "".join(f"{name}=\n" for name in ("PG_PASSWORD", *ROOT_KEY, *APP_KEY))
        assert resolve(parse(text + empty), {}, env_file=Path(".env")).settings


def test_names_of_other_applications_must_be_listed_and_ignored(user: User) -> None:
    user.has_env("MLFLOW_TRACKING_URI=http://x", "MY_APP_KEY=hunter2", "DOCKER_HOST=y")
    result = user.types("config")
    assert result.code == 0
    assert "not used by the stack: DOCKER_HOST, MLFLOW_TRACKING_URI, MY_APP_KEY\n" in result.out
    assert "hunter2" not in result.out
    user.types("render")
    assert "MLFLOW_TRACKING_URI" not in user.compose_file.read_text(encoding="utf-8")


def test_mlflows_variables_must_reach_the_server(user: User) -> None:
    user.has_env("MLFLOW_HTTP_REQUEST_TIMEOUT='30'", "MLFLOW_TRACE_SAMPLING_RATIO=.5")
    user.types("render")
    rendered = user.compose_file.read_text(encoding="utf-8")
    assert '      MLFLOW_HTTP_REQUEST_TIMEOUT: "30"\n' in rendered
    assert '      MLFLOW_TRACE_SAMPLING_RATIO: ".5"\n' in rendered


def test_the_environment_must_override_mlflows_variables_in_the_file(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.has_env("MLFLOW_HTTP_REQUEST_TIMEOUT=30")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "9")
    user.types("render")
    rendered = user.compose_file.read_text(encoding="utf-8")
    assert 'MLFLOW_HTTP_REQUEST_TIMEOUT: "60"' in rendered
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in rendered


def test_telemetry_must_be_off_by_default(user: User) -> None:
    user.has_env()
    user.types("render")
    assert 'MLFLOW_DISABLE_TELEMETRY: "true"' in user.compose_file.read_text(encoding="utf-8")
    user.has_env("MLFLOW_DISABLE_TELEMETRY=false")
    user.types("render")
    rendered = user.compose_file.read_text(encoding="utf-8")
    assert 'MLFLOW_DISABLE_TELEMETRY: "false"' in rendered
    assert rendered.count("MLFLOW_DISABLE_TELEMETRY") == 1


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_FLASK_SERVER_SECRET_KEY",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
        "MLFLOW_UC_OSS_TOKEN",
        "MLFLOW_CRYPTO_KEK_PASSPHRASE",
        "MLFLOW_READ_REPLICA_BACKEND_STORE_URI",
        "MLFLOW_GATEWAY_RATE_LIMITS_STORAGE_URI",
        "MLFLOW_WORKSPACE_STORE_URI",
        "MLFLOW_S3_UPLOAD_EXTRA_ARGS",
    ],
)
def test_a_secret_variable_of_mlflow_must_only_be_in_the_secret_file(user: User, name: str) -> None:
    assert name in mlflow_variables()
    assert is_secret_variable(name, "")
    user.has_env(f"{name}='it\\'s $hunter2'")
    config = user.types("config")
    user.types("render")
    secret = user.folder / "compose/secrets/mlflow_env"
    lines = secret.read_text(encoding="utf-8").splitlines()
    assert f"export {name}='it'\"'\"'s $hunter2'" in lines
    assert re.search(rf"^{name} +\*{{8}} ", config.out, re.MULTILINE)
    assert "hunter2" not in user.compose_file.read_text(encoding="utf-8")
    assert "hunter2" not in config.out


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("MLFLOW_UC_OSS_TOKEN", "x", True),
        ("MLFLOW_GATEWAY_URI", "http://gateway", True),
        ("MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_FILE", "true", False),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "30", False),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "see http://user:pw@host", True),
    ],
)
def test_a_secret_must_be_recognized_by_its_name_or_its_value(
    name: str, value: str, *, secret: bool
) -> None:
    assert is_secret_variable(name, value) is secret


def test_a_value_that_is_not_valid_utf_8_must_be_rejected() -> None:
    with pytest.raises(SettingsError, match="MLFLOW_HTTP_REQUEST_TIMEOUT  must be valid UTF-8"):
        loaded(MLFLOW_HTTP_REQUEST_TIMEOUT="\udcff")
    with pytest.raises(SettingsError, match="MLFLOW_ALLOWED_HOSTS  must be valid UTF-8"):
        loaded({"MLFLOW_ALLOWED_HOSTS": "\udcff"})


def test_settings_must_not_show_secrets() -> None:
    shown = repr(settings(PIP_INDEX_URL="https://u:hunter2@mirror/simple"))
    assert "hunter2" not in shown
    for secret in SECRETS.values():
        assert secret not in shown


def test_every_secret_must_be_declared_as_one() -> None:
    """Settings whose names suggest a secret are masked wherever settings are shown."""
    for name in (name for name, _ in declared()):
        # The path of a file.
        is_path = name == "STACK_TLS_KEY"
        if not is_path and any(word in name for word in ("PASSWORD", "KEY", "SECRET", "TOKEN")):
            assert "SecretStr" in str(Settings.model_fields[name.lower()].annotation), name


def test_an_env_file_of_another_name_must_be_named_as_the_source(tmp_path: Path) -> None:
    file = tmp_path / "class.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    assert load(file, {}).sources["PG_PASSWORD"] == "class.env"
