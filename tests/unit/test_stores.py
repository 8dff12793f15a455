"""Stores of runs and artifacts: valid combinations, and the services that they need."""

import pytest

from mlflow_compose.stack import Stack
from tests.unit.conftest import User
from tests.unit.samples import local_stack, stack

SMALL = {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}
OUTSIDE = {"PG_HOST": "db.lab", "MINIO_HOST": "objects.lab"}

SENSELESS = {
    "a file on a host": (
        "PG_HOST",
        ("BACKEND_STORE=sqlite", "PG_HOST=db.lab"),
        "makes no sense where BACKEND_STORE is sqlite",
    ),
    "a published file": (
        "PG_PUBLISH",
        ("BACKEND_STORE=sqlite", "PG_PUBLISH=true"),
        "makes no sense where BACKEND_STORE is sqlite",
    ),
    "somebody else's database published": (
        "PG_PUBLISH",
        ("PG_HOST=db.lab", "PG_PUBLISH=true"),
        "makes no sense where PG_HOST is db.lab",
    ),
    "TLS of the bundled database": (
        "PG_SSLMODE",
        ("PG_SSLMODE=require",),
        "must be prefer while PG_HOST is postgres",
    ),
    "certificates that nobody looks at": (
        "PG_SSLROOTCERT",
        ("PG_HOST=db.lab", "PG_SSLROOTCERT=.env"),
        "needs PG_SSLMODE verify-ca or verify-full",
    ),
    "a check without certificates": (
        "PG_SSLROOTCERT",
        ("PG_HOST=db.lab", "PG_SSLMODE=verify-full"),
        "must be set where PG_SSLMODE is verify-full",
    ),
    "direct access to a folder": (
        "MLFLOW_ARTIFACT_ACCESS",
        ("ARTIFACT_STORE=local", "MLFLOW_ARTIFACT_ACCESS=direct"),
        "must be proxied where ARTIFACT_STORE is local",
    ),
    "a folder on a host": (
        "MINIO_HOST",
        ("ARTIFACT_STORE=local", "MINIO_HOST=objects.lab"),
        "makes no sense where ARTIFACT_STORE is local",
    ),
    "a folder for somebody else's objects": (
        "MINIO_VOLUME_PATH",
        ("MINIO_HOST=objects.lab", "MINIO_VOLUME_PATH=objects"),
        "makes no sense where MINIO_HOST is objects.lab",
    ),
    "HTTPS of the bundled server": (
        "MINIO_STORAGE_USE_HTTPS",
        ("MINIO_STORAGE_USE_HTTPS=true",),
        "must be false where MINIO_HOST is s3",
    ),
    "a bucket that is made anyway": (
        "MLFLOW_BUCKET_CREATE",
        ("MLFLOW_BUCKET_CREATE=true",),
        "must be false where MINIO_HOST is s3",
    ),
    "certificates without TLS": (
        "MINIO_STORAGE_CA_CERTS",
        ("MINIO_HOST=objects.lab", "MINIO_STORAGE_CA_CERTS=.env"),
        "needs MINIO_STORAGE_USE_HTTPS=true",
    ),
    "a URL for a host": (
        "PG_HOST",
        ("PG_HOST=http://db.lab",),
        "must be the name or the address of a machine",
    ),
    "a host with a port": (
        "MINIO_HOST",
        ("MINIO_HOST=objects.lab:9000",),
        "must be the name or the address of a machine",
    ),
}


@pytest.mark.parametrize("case", SENSELESS)
def test_settings_that_make_no_sense_together_must_be_refused(user: User, case: str) -> None:
    name, lines, rule = SENSELESS[case]
    user.has_env(*lines)
    result = user.types("config")
    assert result.code == 2
    assert f"  {name}  {rule}" in result.err


def names(found: Stack) -> list[str]:
    return [service.name for service in found.services]


@pytest.mark.parametrize("make", [stack, local_stack])
def test_a_stack_must_have_the_services_that_its_stores_need(make: type[Stack]) -> None:
    def of(**values: str) -> list[str]:
        return names(make(**values))  # type: ignore[arg-type]

    assert of() == ["postgres", "s3", "bucket-init", "mlflow"]
    assert of(**SMALL) == ["mlflow"]
    assert of(BACKEND_STORE="sqlite") == ["s3", "bucket-init", "mlflow"]
    assert of(ARTIFACT_STORE="local") == ["postgres", "mlflow"]
    assert of(**OUTSIDE) == ["bucket-init", "mlflow"]
    assert of(PG_HOST="db.lab", ARTIFACT_STORE="local") == ["mlflow"]


def test_mlflow_must_wait_only_for_services_that_the_stack_has() -> None:
    for values in ({}, SMALL, OUTSIDE, {"ARTIFACT_STORE": "local"}):
        found = stack(**values)
        for service in found.services:
            assert set(service.depends_on) <= set(names(found))


def test_mlflow_must_find_an_external_database_by_a_service_file() -> None:
    found = stack(**OUTSIDE, PG_PORT="6432", PG_SSLMODE="require")
    (service,) = [secret for secret in found.secrets if secret.name == "pg_service.conf"]
    lines = service.text.splitlines()
    assert {"host=db.lab", "port=6432", "sslmode=require"} <= set(lines)


@pytest.mark.parametrize(
    ("values", "endpoint"),
    [
        ({"MINIO_HOST": "objects.lab", "MINIO_PORT": "9100"}, "http://objects.lab:9100"),
        (
            {"MINIO_HOST": "objects.lab", "MINIO_PORT": "443", "MINIO_STORAGE_USE_HTTPS": "true"},
            "https://objects.lab:443",
        ),
        ({"MINIO_HOST": "2001:db8::7"}, "http://[2001:db8::7]:9000"),
        ({"MINIO_HOST": "aws"}, None),
    ],
)
def test_an_external_s3_server_must_be_called_at_its_endpoint(
    values: dict[str, str], endpoint: str | None
) -> None:
    found = stack(**values)
    for name, variable in (("mlflow", "MLFLOW_S3_ENDPOINT_URL"), ("bucket-init", "S3_ENDPOINT")):
        assert found.service(name).environment.get(variable) == endpoint


def test_the_root_key_must_not_be_sent_to_an_external_server() -> None:
    found = stack(**OUTSIDE)
    assert not [secret for secret in found.secrets if "root" in secret.name]


def test_an_external_bucket_must_only_be_created_if_that_is_allowed() -> None:
    def may_create(**values: str) -> str | None:
        return stack(**values).service("bucket-init").environment.get("S3_BUCKET_CREATE")

    assert may_create(MINIO_HOST="objects.lab") == "false"
    assert may_create(MINIO_HOST="objects.lab", MLFLOW_BUCKET_CREATE="true") is None
    assert may_create() is None


def test_new_checksums_must_be_switched_off_for_old_servers() -> None:
    found = stack(MINIO_HOST="objects.lab", MINIO_STORAGE_CHECKSUMS="when_required")
    for name in ("mlflow", "bucket-init"):
        environment = found.service(name).environment
        assert environment["AWS_REQUEST_CHECKSUM_CALCULATION"] == "when_required"
        assert environment["AWS_RESPONSE_CHECKSUM_VALIDATION"] == "when_required"
