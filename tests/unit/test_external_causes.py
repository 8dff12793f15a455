"""Causes fit a stack's stores: none mentions a service that the stack does not have."""

import json
import re

import pytest

from mlflow_compose.checks.causes import causes
from mlflow_compose.checks.proof import Proof
from mlflow_compose.payloads import as_json
from mlflow_compose.stack import Stack
from tests.unit.samples import SECRETS, local_stack, stack

STACKS: dict[str, dict[str, str]] = {
    "bundled servers": {},
    "an external database": {"PG_HOST": "db.lab"},
    "an external S3 server": {"MINIO_HOST": "objects.lab"},
    "Amazon S3": {"MINIO_HOST": "aws", "BACKEND_STORE": "sqlite"},
    "external servers": {"PG_HOST": "db.lab", "MINIO_HOST": "objects.lab"},
    "a file and a folder": {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"},
    "a folder": {"ARTIFACT_STORE": "local"},
}
CAUSES = causes(stack())
NEEDS = {"pg_": "uses_postgres", "s3_": "uses_s3", "bucket_": "uses_s3", "key_": "uses_s3"}
# Words that only fit a bundled server, which `up` can repair.
BUNDLED = {
    "postgres": r"logs postgres|ALTER ROLE|was created with|POSTGRES_IMAGE",
    "s3": r"logs s3|creates (it|the key) again|grants access again",
}
# Words that only fit an external server.
EXTERNAL = {"postgres": r"set PG_HOST|PG_HOST does", "s3": r"MINIO_HOST|MLFLOW_BUCKET_CREATE"}
# Only external databases have TLS; keys are only created for a bundled S3 server.
TLS = ("pg_no_tls", "pg_tls_required", "pg_certificate", "pg_certificate_name")


def possible(found: Stack) -> set[str]:
    """Return the causes that are possible for a stack."""
    needs = {
        word: next((need for start, need in NEEDS.items() if word.startswith(start)), "")
        for word in CAUSES
    }
    own = not found.stores.runs.external
    return {
        word
        for word, need in needs.items()
        if (not need or getattr(found.stores, need))
        and not (own and word in TLS)
        and (word != "key_too_strong" or found.key_is_limited)
    }


@pytest.mark.parametrize("make", [stack, local_stack])
@pytest.mark.parametrize("case", STACKS)
def test_a_cause_must_only_mention_services_of_the_stack(case: str, make: type[Stack]) -> None:
    found: Stack = make(**STACKS[case])  # type: ignore[arg-type]
    known = causes(found)
    assert known.keys() == CAUSES.keys()
    for word in possible(found):
        text = f"{known[word].sentence}; {known[word].hint}"
        for service in ("postgres", "s3"):
            wrong = EXTERNAL[service] if found.has(service) else BUNDLED[service]
            assert not re.search(wrong, text), f"{word}: {text}"


@pytest.mark.parametrize(
    ("values", "runs", "artifacts"),
    [
        (
            {},
            "PostgreSQL at postgres:5432/mlflow, in the volume postgres_data",
            "s3://mlflow at http://s3:9000, in the volume minio_data",
        ),
        (
            {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"},
            "SQLite in the file mlflow.db in the volume mlflow_data",
            "files in the folder artifacts in the volume mlflow_data",
        ),
        (
            {
                "PG_HOST": "2001:db8::7",
                "PG_SSLMODE": "disable",
                "MINIO_HOST": "objects.lab",
                "MINIO_PORT": "443",
                "MINIO_STORAGE_USE_HTTPS": "true",
                "MLFLOW_BUCKET_NAME": "team",
            },
            "PostgreSQL at [2001:db8::7]:5432/mlflow, no TLS",
            "s3://team at https://objects.lab:443",
        ),
        (
            {"PG_HOST": "db.lab", "PG_SSLMODE": "require", "MINIO_HOST": "aws"},
            "PostgreSQL at db.lab:5432/mlflow, TLS require",
            "s3://mlflow at Amazon, region us-east-1",
        ),
        (
            {"MINIO_VOLUME_PATH": "/srv/objects"},
            "PostgreSQL at postgres:5432/mlflow, in the volume postgres_data",
            "s3://mlflow at http://s3:9000, in the folder /srv/objects",
        ),
    ],
)
def test_a_stack_must_report_where_its_data_is(
    values: dict[str, str], runs: str, artifacts: str
) -> None:
    stores = stack(**values).stores
    assert (stores.runs.text, stores.artifacts.text) == (runs, artifacts)


def test_a_stack_without_docker_must_report_its_folders() -> None:
    own, small = local_stack().stores, local_stack(**STACKS["a file and a folder"]).stores
    assert (
        own.runs.text
        == "PostgreSQL at 127.0.0.1:5432/mlflow, in the folder local/data/postgres_data"
    )
    assert own.artifacts.text == (
        "s3://mlflow at http://127.0.0.1:9000, in the folder local/data/minio_data"
    )
    assert small.runs.text == "SQLite in the file local/data/mlflow_data/mlflow.db"
    assert small.artifacts.text == "files in the folder local/data/mlflow_data/artifacts"


@pytest.mark.parametrize("case", STACKS)
def test_the_addresses_of_stores_must_contain_no_secret(case: str) -> None:
    stores = stack(**STACKS[case]).stores
    text = json.dumps(as_json([stores.runs.data, stores.artifacts.data]))
    assert not [secret for secret in SECRETS.values() if secret in text]


@pytest.mark.parametrize(
    ("host", "url"), [("objects.lab", "http://objects.lab:9000"), ("aws", None), ("s3", "own")]
)
def test_direct_access_must_be_verified_at_the_s3_server(host: str, url: str | None) -> None:
    found = stack(MINIO_HOST=host, MLFLOW_ARTIFACT_ACCESS="direct")
    assert found.s3_url == (found.urls["s3"] if url == "own" else url)
    assert Proof(found).outside
