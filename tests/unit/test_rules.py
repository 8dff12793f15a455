"""Settings that are valid individually but not together."""

import pytest

from mlflow_compose.errors import SettingsError
from mlflow_compose.settings.rules import KNOWN_PASSWORDS, is_loopback
from tests.unit.samples import ANY_ADDRESS, SECRETS, settings

OPEN = {"STACK_BIND_ADDRESS": ANY_ADDRESS, "MLFLOW_AUTH": "basic"}


@pytest.mark.parametrize("address", [ANY_ADDRESS, "192.0.2.7", "::", "2001:db8::1"])
def test_a_stack_on_the_network_must_require_login(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(STACK_BIND_ADDRESS=address)
    assert caught.value.message.endswith(
        f"STACK_BIND_ADDRESS  must be a loopback address while MLFLOW_AUTH is none, got {address}"
    )
    assert settings(STACK_BIND_ADDRESS=address, MLFLOW_AUTH="basic").stack_bind_address == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_a_stack_on_loopback_must_not_require_login(address: str) -> None:
    assert is_loopback(address)
    assert settings(STACK_BIND_ADDRESS=address).mlflow_auth == "none"


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_stack_on_the_network_must_not_have_a_well_known_password(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(**OPEN, **{name: "MinioAdmin123"})
    assert f"{name}  must not be a well-known password" in caught.value.message
    assert "MinioAdmin123" not in caught.value.message
    assert settings(**{name: "MinioAdmin123"})


def test_well_known_passwords_must_be_listed_in_lower_case() -> None:
    assert {word for word in KNOWN_PASSWORDS if word != word.lower()} == set()
    assert {"minioadmin", "password", "admin", "postgres"} <= KNOWN_PASSWORDS


@pytest.mark.parametrize("password", ["", "elevenchars"])
def test_login_must_require_a_password_of_twelve_characters(password: str) -> None:
    with pytest.raises(SettingsError, match="must be at least 12 characters long"):
        settings(MLFLOW_AUTH="basic", MLFLOW_ADMIN_PASSWORD=password)
    assert settings(MLFLOW_AUTH="basic", MLFLOW_ADMIN_PASSWORD="twelve-chars")


@pytest.mark.parametrize("version", ["3.9.0", "3.12.0"])
def test_workspaces_must_require_an_mlflow_that_has_permissions_in_them(version: str) -> None:
    rule = f"MLFLOW_WORKSPACES  requires MLFLOW_VERSION 3.13.0 or newer, got {version}"
    with pytest.raises(SettingsError, match=rule):
        settings(MLFLOW_WORKSPACES="true", MLFLOW_VERSION=version)
    assert settings(MLFLOW_WORKSPACES="true", MLFLOW_VERSION="3.13.0").mlflow_workspaces
    assert settings(MLFLOW_VERSION=version)
    # Its version is not known.
    image = {"MLFLOW_IMAGE": "lab/mlflow:1", "MLFLOW_VERSION": version}
    assert settings(MLFLOW_WORKSPACES="true", **image).mlflow_workspaces


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("STACK_ENGINE", "local", "STACK_ENGINE is local: raise MLFLOW_WORKERS instead"),
        ("BACKEND_STORE", "sqlite", "BACKEND_STORE is sqlite: servers share PostgreSQL"),
        ("ARTIFACT_STORE", "local", "ARTIFACT_STORE is local: servers share S3"),
        ("CLASS_MODE", "seats", "CLASS_MODE is seats: each seat has one server"),
        (
            *("MLFLOW_JOBS", "true"),
            "MLFLOW_JOBS is true: a server that starts would run the jobs of the others again",
        ),
    ],
)
def test_several_servers_must_only_be_allowed_on_what_they_can_share(
    name: str, value: str, rule: str
) -> None:
    others = {name: value, "MLFLOW_AUTH": "basic"}
    with pytest.raises(SettingsError) as caught:
        settings(MLFLOW_REPLICAS="2", **others)
    assert f"MLFLOW_REPLICAS  must be 1 when {rule}, got 2" in caught.value.message
    assert settings(**others).mlflow_replicas == 1
    assert settings(MLFLOW_REPLICAS="2", MLFLOW_AUTH="basic").mlflow_replicas == 2


@pytest.mark.parametrize("number", ["0", "17", "two", ""])
def test_the_number_of_servers_must_be_between_1_and_16(number: str) -> None:
    with pytest.raises(SettingsError, match="MLFLOW_REPLICAS"):
        settings(MLFLOW_REPLICAS=number)


def test_the_application_must_not_be_root() -> None:
    with pytest.raises(SettingsError, match="MINIO_ACCESS_KEY  must differ from MINIO_ROOT_USER"):
        settings(MINIO_ACCESS_KEY="same-key", MINIO_ROOT_USER="same-key")
