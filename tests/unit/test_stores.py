"""The stores of runs and artifacts: valid combinations of settings, and their effects."""

import pytest

from mlflow_compose.stack import Stack
from tests.unit.conftest import User
from tests.unit.samples import local_stack, stack

SMALL = {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}
OUTSIDE = {"PG_HOST": "db.lab", "MINIO_HOST": "objects.lab"}

CONTRADICTORY = {
    "SQLite on a host": (
        "PG_HOST",
        ("BACKEND_STORE=sqlite", "PG_HOST=db.lab"),
        "has no effect when BACKEND_STORE is sqlite",
    ),
    "SQLite published": (
        "PG_PUBLISH",
        ("BACKEND_STORE=sqlite", "PG_PUBLISH=true"),
        "has no effect when BACKEND_STORE is sqlite",
    ),
    "an external database published": (
        "PG_PUBLISH",
        ("PG_HOST=db.lab", "PG_PUBLISH=true"),
        "has no effect when PG_HOST is db.lab",
    ),
    "TLS of the bundled database": (
        "PG_SSLMODE",
        ("PG_SSLMODE=require",),
        "must be prefer, allow or disable for the bundled PostgreSQL",
    ),
    "certificates that are not used": (
        "PG_SSLROOTCERT",
        ("PG_HOST=db.lab", "PG_SSLROOTCERT=.env"),
        "requires PG_SSLMODE verify-ca or verify-full",
    ),
    "verification without certificates": (
        "PG_SSLROOTCERT",
        ("PG_HOST=db.lab", "PG_SSLMODE=verify-full"),
        "must be a file of CA certificates when PG_SSLMODE is verify-full",
    ),
    "direct access to a folder": (
        "MLFLOW_ARTIFACT_ACCESS",
        ("ARTIFACT_STORE=local", "MLFLOW_ARTIFACT_ACCESS=direct"),
        "must be proxied when ARTIFACT_STORE is local",
    ),
    "a folder on a host": (
        "MINIO_HOST",
        ("ARTIFACT_STORE=local", "MINIO_HOST=objects.lab"),
        "has no effect when ARTIFACT_STORE is local",
    ),
    "a folder for an external server": (
        "MINIO_VOLUME_PATH",
        ("MINIO_HOST=objects.lab", "MINIO_VOLUME_PATH=objects"),
        "has no effect when MINIO_HOST is objects.lab",
    ),
    "HTTPS of the bundled server": (
        "MINIO_STORAGE_USE_HTTPS",
        ("MINIO_STORAGE_USE_HTTPS=true",),
        "must be false for the bundled S3 server",
    ),
    "a bucket that is always created": (
        "MLFLOW_BUCKET_CREATE",
        ("MLFLOW_BUCKET_CREATE=true",),
        "must be false for the bundled S3 server",
    ),
    "certificates without TLS": (
        "MINIO_STORAGE_CA_CERTS",
        ("MINIO_HOST=objects.lab", "MINIO_STORAGE_CA_CERTS=.env"),
        "requires MINIO_STORAGE_USE_HTTPS=true",
    ),
    "a URL as host": (
        "PG_HOST",
        ("PG_HOST=http://db.lab",),
        "must be a host name or IP address",
    ),
    "a host with a port": (
        "MINIO_HOST",
        ("MINIO_HOST=objects.lab:9000",),
        "must be a host name or IP address",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTORY)
def test_contradictory_settings_must_be_rejected(user: User, case: str) -> None:
    name, lines, rule = CONTRADICTORY[case]
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


def test_services_must_only_wait_for_services_of_the_stack() -> None:
    for values in ({}, SMALL, OUTSIDE, {"ARTIFACT_STORE": "local"}):
        found = stack(**values)
        for service in found.services:
            assert set(service.depends_on) <= set(names(found))


def test_the_address_of_an_external_database_must_be_in_the_service_file() -> None:
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
def test_services_must_get_the_endpoint_of_an_external_s3_server(
    values: dict[str, str], endpoint: str | None
) -> None:
    found = stack(**values)
    for name, variable in (("mlflow", "MLFLOW_S3_ENDPOINT_URL"), ("bucket-init", "S3_ENDPOINT")):
        assert found.service(name).environment.get(variable) == endpoint


def test_an_external_s3_server_must_not_need_the_root_key() -> None:
    found = stack(**OUTSIDE)
    assert not [secret for secret in found.secrets if "root" in secret.name]


def test_a_bucket_on_an_external_server_must_only_be_created_if_allowed() -> None:
    def may_create(**values: str) -> str | None:
        return stack(**values).service("bucket-init").environment.get("S3_BUCKET_CREATE")

    assert may_create(MINIO_HOST="objects.lab") == "false"
    assert may_create(MINIO_HOST="objects.lab", MLFLOW_BUCKET_CREATE="true") is None
    assert may_create() is None


def test_new_checksums_must_not_be_sent_if_they_are_turned_off() -> None:
    found = stack(MINIO_HOST="objects.lab", MINIO_STORAGE_CHECKSUMS="when_required")
    for name in ("mlflow", "bucket-init"):
        environment = found.service(name).environment
        assert environment["AWS_REQUEST_CHECKSUM_CALCULATION"] == "when_required"
        assert environment["AWS_RESPONSE_CHECKSUM_VALIDATION"] == "when_required"
