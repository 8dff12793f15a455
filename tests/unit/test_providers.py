"""The S3 servers that a stack can bundle: their properties, and the data that each may use."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.engines.docker import data
from mlflow_compose.errors import EngineError, SettingsError
from mlflow_compose.render import render
from mlflow_compose.settings import declared
from mlflow_compose.settings.validators import one_line
from mlflow_compose.stack import PROVIDERS, Bind, Volume
from tests.unit.conftest import User
from tests.unit.samples import ROOT, SECRETS, stack

NAMES = sorted(PROVIDERS)
WITH_MARK = sorted(name for name, provider in PROVIDERS.items() if provider.mark)


def test_the_setting_must_accept_every_provider() -> None:
    (info,) = [info for name, info in declared() if name == "S3_PROVIDER"]
    assert sorted(info.annotation.__args__) == NAMES  # type: ignore[union-attr]
    assert all(name in str(info.description) for name in NAMES)


def test_an_unknown_provider_must_be_refused_with_a_list_of_all(user: User) -> None:
    user.has_env("S3_PROVIDER=ceph")
    output = user.types("config")
    assert output.code == 2
    assert all(name in output.err for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_name_endpoint_and_port_must_be_the_same_for_every_provider(name: str) -> None:
    found = stack(S3_PROVIDER=name)
    assert [service.name for service in found.services] == [
        "postgres",
        "s3",
        "bucket-init",
        "mlflow",
    ]
    assert found.site.s3 == "http://s3:9000"
    s3 = found.service("s3")
    assert [port.text for port in s3.ports if port.name == "s3"] == ["127.0.0.1:9000:9000"]
    assert s3.healthcheck is not None
    assert "127.0.0.1:9000" in " ".join(s3.healthcheck.command)
    assert found.service("mlflow") == stack().service("mlflow")


@pytest.mark.parametrize("name", NAMES)
def test_a_chosen_image_must_replace_the_providers(name: str) -> None:
    assert stack(S3_PROVIDER=name).service("s3").image == PROVIDERS[name].image
    mirror = "registry.example.org/s3:1"
    assert stack(S3_PROVIDER=name, MINIO_IMAGE=mirror).service("s3").image == mirror


@pytest.mark.parametrize("name", NAMES)
def test_each_provider_must_have_its_own_volume(name: str) -> None:
    """Their formats differ; MinIO's volume keeps its original name."""
    volumes = {other: stack(S3_PROVIDER=other).service("s3").volumes for other in NAMES}
    assert volumes[name] == (Volume(f"{name}_data", "/data"),)
    assert len(set(volumes.values())) == len(NAMES)
    found = stack(S3_PROVIDER=name, MINIO_VOLUME_PATH="objects")
    assert found.service("s3").volumes == (Bind("../objects", "/data"),)


@pytest.mark.parametrize("name", NAMES)
def test_only_minio_must_have_a_console(name: str) -> None:
    found = stack(S3_PROVIDER=name, MINIO_CONSOLE_ADDRESS=":9500")
    assert ("console" in found.urls) is (name == "minio")
    assert ("9500" in str(found.service("s3"))) is (name == "minio")


def test_a_missing_console_must_use_no_port(user: User) -> None:
    user.has_env("MLFLOW_PORT=9001", "S3_PROVIDER=versitygw")
    assert user.types("config").code == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_key_must_be_limited_if_there_is_a_root_key(name: str) -> None:
    found, provider = stack(S3_PROVIDER=name), PROVIDERS[name]
    job = found.service("bucket-init")
    assert found.key_is_limited is provider.has_root is not found.has_one_key
    assert job.environment.get("KEY_MAKER", "") == provider.key_maker
    assert ("s3_root_key" in {secret.name for secret in job.secrets}) is provider.has_root


def test_a_server_with_one_key_must_not_get_another() -> None:
    found = stack(S3_PROVIDER="rclone")
    assert not [secret for secret in found.secrets if "root" in secret.name]
    assert found.service("bucket-init").about == "Creates the bucket, then exits."


def rendered(name: str, **values: str) -> str:
    return "".join(file.text for file in render(stack(S3_PROVIDER=name, **values)).files.values())


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_must_be_in_a_rendered_file(name: str) -> None:
    text = rendered(name)
    assert not [secret for secret in SECRETS.values() if secret in text]
    s3 = stack(S3_PROVIDER=name).service("s3")
    text = " ".join([*s3.environment.values(), *s3.command])
    # It gets file names instead.
    assert s3.secrets
    assert all(f"/run/secrets/{secret.name}" in text for secret in s3.secrets)


def is_one_line(text: str) -> bool:
    try:
        one_line(text)
    except ValueError:
        return False
    return True


@given(st.text(min_size=8, max_size=30).filter(is_one_line))
def test_seaweedfs_must_know_both_keys_and_limit_one(secret: str) -> None:
    found = stack(
        S3_PROVIDER="seaweedfs", MINIO_SECRET_ACCESS_KEY=secret, MLFLOW_BUCKET_NAME="blue"
    )
    (file,) = found.service("s3").secrets
    root, application, _ = json.loads(file.text)["identities"]
    assert root["actions"] == ["Admin"]
    assert root["credentials"][0]["secretKey"] == SECRETS["MINIO_ROOT_PASSWORD"]
    assert application["credentials"] == [
        {"accessKey": SECRETS["MINIO_ACCESS_KEY"], "secretKey": secret}
    ]
    assert application["actions"] == ["Read:blue", "Write:blue", "List:blue"]


def test_a_comma_in_a_key_must_be_refused_for_rclone(user: User) -> None:
    comma = "MINIO_SECRET_ACCESS_KEY=hunter2,hunter2"
    user.has_env(comma, "S3_PROVIDER=rclone")
    output = user.types("config")
    assert output.code == 2
    assert "MINIO_SECRET_ACCESS_KEY  must not contain a comma" in output.err
    assert "hunter2" not in output.err
    user.has_env(comma)
    assert user.types("config").code == 0


# --- existing data


def test_another_servers_volume_must_stop_a_start_that_would_lose_artifacts(tmp_path: Path) -> None:
    found = stack(S3_PROVIDER="versitygw")
    with pytest.raises(EngineError, match="in the volume minio_data") as caught:
        data.check(found, tmp_path, {"minio_data", "postgres_data"})
    assert "S3_PROVIDER=minio back" in (caught.value.hint or "")
    assert "mlflow-compose migrate-store --to provider=versitygw" in (caught.value.hint or "")
    with pytest.raises(EngineError, match="in the volume versitygw_data"):
        data.check(stack(), tmp_path, {"versitygw_data"})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other_volumes", [set(), {"minio_data", "rclone_data"}])
def test_a_server_with_data_must_start_despite_other_volumes(
    name: str, other_volumes: set[str], tmp_path: Path
) -> None:
    """The data from before a migration may stay."""
    data.check(stack(S3_PROVIDER=name), tmp_path, {f"{name}_data", *other_volumes})


@pytest.mark.parametrize("values", [{"ARTIFACT_STORE": "local"}, {"MINIO_HOST": "objects.lab"}])
def test_a_stack_without_a_server_must_not_be_checked(
    values: dict[str, str], tmp_path: Path
) -> None:
    data.check(stack(**values), tmp_path, {"minio_data"})


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / "objects" / name).mkdir(parents=True)
    return folder / "compose"


@pytest.mark.parametrize("name", WITH_MARK)
def test_a_folder_must_be_the_providers_own_or_empty(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "check_owner", lambda *_: None)
    found = stack(S3_PROVIDER=name, MINIO_VOLUME_PATH="objects")
    compose = filled(tmp_path, "lost+found")
    data.check(found, compose, set())
    filled(tmp_path, "photos")
    with pytest.raises(EngineError, match="holds files of another server than S3_PROVIDER"):
        data.check(found, compose, set())
    filled(tmp_path, PROVIDERS[name].mark)
    data.check(found, compose, set())
    other = stack(S3_PROVIDER="rclone", MINIO_VOLUME_PATH="objects")
    with pytest.raises(EngineError, match=f"holds data of S3_PROVIDER {name}"):
        data.check(other, compose, set())


def test_rclone_must_accept_a_folder_of_plain_files(tmp_path: Path) -> None:
    found = stack(S3_PROVIDER="rclone", MINIO_VOLUME_PATH="objects")
    data.check(found, filled(tmp_path, "bucket"), set())


@pytest.mark.skipif(
    sys.platform != "linux", reason="folders have no owner in a Docker virtual machine"
)
def test_a_folder_must_belong_to_the_servers_user(tmp_path: Path) -> None:
    found = stack(S3_PROVIDER="rustfs", MINIO_VOLUME_PATH="objects")
    with pytest.raises(EngineError, match="must be owned by user 10001") as caught:
        data.check(found, tmp_path / "compose", set())
    assert caught.value.hint == f"sudo install -d -o 10001 -g 10001 {tmp_path / 'objects'}"


# --- documentation


def test_the_page_must_name_every_server_and_its_image() -> None:
    page = (ROOT / "docs" / "how-to" / "stores.md").read_text(encoding="utf-8")
    for name, provider in PROVIDERS.items():
        assert f"| `{name}` | `{provider.image}` |" in page


@pytest.mark.parametrize("user", ["o'brien", 'my"user', "$user", "my\\user"])
def test_a_user_that_the_database_image_cannot_create_must_be_refused(
    tmp_path: Path, user: str
) -> None:
    """Its initdb fails, and prints the password with a double quote in the name."""
    with pytest.raises(EngineError) as caught:
        data.check(stack(PG_USER=user), tmp_path, set())
    assert caught.value.message.endswith(f"PostgreSQL's image cannot create the user {user}")
    data.check(stack(PG_USER=user, PG_HOST="db.example.org"), tmp_path, set())


@pytest.mark.parametrize(
    "setting",
    [("PG_HOST", "localhost"), ("MINIO_HOST", "127.0.0.1"), ("MINIO_HOST", "::1")],
)
def test_an_external_server_must_not_be_on_the_containers_loopback(
    setting: tuple[str, str], tmp_path: Path
) -> None:
    name, host = setting
    with pytest.raises(SettingsError, match=f"{name} must not be {host} with Docker") as caught:
        data.check(stack(**{name: host}), tmp_path, set())
    assert caught.value.hint
    assert f"{name}=host.docker.internal" in caught.value.hint


def test_containers_must_get_dockers_name_of_this_machine() -> None:
    found = stack(MINIO_HOST="host.docker.internal", MINIO_PORT="9900")
    for name in ("mlflow", "bucket-init"):
        assert found.service(name).extra_hosts == ("host.docker.internal:host-gateway",)
    assert found.service("postgres").extra_hosts == ()
    # The name need not resolve on this machine itself.
    assert found.s3_url == "http://127.0.0.1:9900"
    assert stack().service("mlflow").extra_hosts == ()
