"""Every useful combination of stores starts, is proven and stores runs."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from .conftest import MakeStack
from .outside import database, objects
from .running import Run, RunningStack, docker_only, local_only, short_in_ci


class Pair(NamedTuple):
    """A database and an artifact store, and the services that they require.

    Attributes:
        services: Services in the order in which they start.
        settings: Settings that choose the pair.
        database: Whether the database is external.
        objects: Whether the S3 server is external.
        is_created: Whether the tool has to create the bucket.
    """

    services: list[str]
    settings: Mapping[str, str] = {}
    database: bool = False
    objects: bool = False
    is_created: bool = False


FILE, FOLDER = {"BACKEND_STORE": "sqlite"}, {"ARTIFACT_STORE": "local"}
# Other scenarios cover bundled PostgreSQL with a bundled bucket; the last test here covers a file
# and a folder, test_stores_tls.py covers external PostgreSQL with an external bucket, and
# test_migrate.py starts on a file and a bucket, and goes on to external PostgreSQL and a bucket.
PAIRS: Mapping[str, Pair] = {
    "a file and a new external bucket": Pair(
        ["bucket-init", "mlflow"], FILE, objects=True, is_created=True
    ),
    "PostgreSQL and a folder": Pair(["postgres", "mlflow"], FOLDER),
    "PostgreSQL and an external bucket": Pair(["postgres", "bucket-init", "mlflow"], objects=True),
    "external PostgreSQL and a folder": Pair(["mlflow"], FOLDER, database=True),
    "external PostgreSQL and a bucket": Pair(["s3", "bucket-init", "mlflow"], database=True),
}
# On Docker, only a stack that reaches one server in its own network and one outside of it: the
# engines handle the two stores independently, and a stack of test_migrate.py goes on to PostgreSQL
# and an external bucket that has to be created.
ON_DOCKER = "external PostgreSQL and a bucket"
MARKS = {ON_DOCKER: docker_only("test_migrate.py proves this pair without Docker")}
SAME = local_only(
    "the same code talks to the same servers on both engines, and this one starts faster"
)


def new_bucket(outside: RunningStack) -> dict[str, str]:
    """Return the settings for a bucket that has to be created."""
    root, secret = outside.root_key
    return {
        "MINIO_ACCESS_KEY": root,
        "MINIO_SECRET_ACCESS_KEY": secret,
        "MLFLOW_BUCKET_NAME": f"made-{secrets.token_hex(4)}",
        "MLFLOW_BUCKET_CREATE": "true",
    }


def expect_proven(data: Mapping[str, Any], services: list[str]) -> None:
    """Assert that `up` started these services and proved the stack."""
    assert [service["name"] for service in data["services"]] == services
    assert data["steps"]
    assert all(step["ok"] for step in data["steps"])


def expect(stack: RunningStack, run: Run) -> None:
    """Assert that MLflow returns a run as it was logged."""
    found = stack.api.get("runs/get", run_id=run.id)["run"]
    assert found["data"]["metrics"][0]["value"] == run.loss
    assert stack.api.artifact("GET", run.key).content == run.artifact


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=MARKS.get(name, SAME)) for name in PAIRS],
)
def test_each_pair_of_stores_must_be_proven_and_usable(
    name: str, outside: RunningStack, make_stack: MakeStack
) -> None:
    pair = PAIRS[name]
    external = database(outside) if pair.database else {}
    bucket = objects(outside) if pair.objects else {}
    stack = make_stack(
        **pair.settings, **external, **bucket | (new_bucket(outside) if pair.is_created else {})
    )
    expect_proven(stack.tool("up", "--json").data, pair.services)
    run = stack.log_run()
    expect(stack, run)
    if pair.objects:
        client = outside.s3(outside.root_key)
        found = client.list_objects_v2(Bucket=stack.bucket, Prefix=run.key)["Contents"]
        assert [file["Key"] for file in found] == [run.key]
    if pair.database:
        rows = outside.sql(f"\\c {external['PG_DATABASE']}\nSELECT run_uuid FROM runs\n")
        assert rows[-1] == run.id
    own = {"postgres": "postgres_data", "s3": "minio_data"}
    volumes = {own[service] for service in pair.services if service in own}
    assert stack.volumes() - {"mlflow_data"} == {*volumes, "mlflow_tmp"}
    assert ("mlflow_data" in stack.volumes()) is bool(pair.settings)


@short_in_ci
def test_a_file_and_a_folder_must_be_proven_and_survive_down_and_up(smallest: RunningStack) -> None:
    run = smallest.log_run()
    smallest.tool("down")
    expect_proven(smallest.tool("up", "--json").data, ["mlflow"])
    expect(smallest, run)
    assert smallest.volumes() == {"mlflow_data", "mlflow_tmp"}
