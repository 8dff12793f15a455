"""Each pair of stores that makes sense comes up, is proven, and keeps what it was told."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from .conftest import MakeStack
from .outside import database, objects
from .running import Run, RunningStack, local_only


class Pair(NamedTuple):
    """Where runs and artifacts are, and which services there are then.

    Attributes:
        services: In the order in which they start.
        settings: That choose it.
        database: Whether the database is somebody else's.
        objects: Whether the S3 server is.
        is_made: Whether the bucket is not there before.
    """

    services: list[str]
    settings: Mapping[str, str] = {}
    database: bool = False
    objects: bool = False
    is_made: bool = False


FILE, FOLDER = {"BACKEND_STORE": "sqlite"}, {"ARTIFACT_STORE": "local"}
# PostgreSQL and a bucket, both the stack's own, are in many other scenarios; a file and a folder
# have one of their own below, and somebody's PostgreSQL and bucket in test_stores_tls.py.
PAIRS: Mapping[str, Pair] = {
    "a file and a bucket": Pair(["s3", "bucket-init", "mlflow"], FILE),
    "a file and a new bucket at somebody's": Pair(
        ["bucket-init", "mlflow"], FILE, objects=True, is_made=True
    ),
    "PostgreSQL and a folder": Pair(["postgres", "mlflow"], FOLDER),
    "PostgreSQL and somebody's bucket": Pair(["postgres", "bucket-init", "mlflow"], objects=True),
    "somebody's PostgreSQL and a folder": Pair(["mlflow"], FOLDER, database=True),
    "somebody's PostgreSQL and a bucket": Pair(["s3", "bucket-init", "mlflow"], database=True),
}
# Each kind of store once: what an engine does for one does not depend on the other.
ON_BOTH = (
    "a file and a new bucket at somebody's",
    "PostgreSQL and a folder",
    "somebody's PostgreSQL and a bucket",
)
SAME = "the same code asks the same servers on both engines, and this one starts sooner"


def made(outside: RunningStack) -> dict[str, str]:
    """Return the settings by which a bucket that is not there yet is used."""
    root, secret = outside.root_key
    return {
        "MINIO_ACCESS_KEY": root,
        "MINIO_SECRET_ACCESS_KEY": secret,
        "MLFLOW_BUCKET_NAME": f"made-{secrets.token_hex(4)}",
        "MLFLOW_BUCKET_CREATE": "true",
    }


def expect_proven(data: Mapping[str, Any], services: list[str]) -> None:
    """Make sure that `up` started these services and proved what they do together."""
    assert [service["name"] for service in data["services"]] == services
    assert data["steps"]
    assert all(step["ok"] for step in data["steps"])


def expect(stack: RunningStack, run: Run) -> None:
    """Make sure that MLflow has a run as it was stored."""
    found = stack.api.get("runs/get", run_id=run.id)["run"]
    assert found["data"]["metrics"][0]["value"] == run.loss
    assert stack.api.artifact("GET", run.key).content == run.artifact


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ON_BOTH else local_only(SAME)) for name in PAIRS],
)
def test_each_pair_of_stores_must_be_proven_and_used(
    name: str, outside: RunningStack, make_stack: MakeStack
) -> None:
    pair = PAIRS[name]
    theirs = database(outside) if pair.database else {}
    bucket = objects(outside) if pair.objects else {}
    stack = make_stack(
        **pair.settings, **theirs, **bucket | (made(outside) if pair.is_made else {})
    )
    expect_proven(stack.tool("up", "--json").data, pair.services)
    run = stack.log_run()
    expect(stack, run)
    if pair.objects:
        client = outside.s3(outside.root_key)
        found = client.list_objects_v2(Bucket=stack.bucket, Prefix=run.key)["Contents"]
        assert [file["Key"] for file in found] == [run.key]
    if pair.database:
        rows = outside.sql(f"\\c {theirs['PG_DATABASE']}\nSELECT run_uuid FROM runs\n")
        assert rows[-1] == run.id
    own = {"postgres": "postgres_data", "s3": "minio_data"}
    kept = {own[service] for service in pair.services if service in own}
    assert stack.volumes() - {"mlflow_data"} == {*kept, "mlflow_tmp"}
    assert ("mlflow_data" in stack.volumes()) is bool(pair.settings)


def test_a_file_and_a_folder_must_be_proven_and_survive_down_and_up(smallest: RunningStack) -> None:
    run = smallest.log_run()
    smallest.tool("down")
    expect_proven(smallest.tool("up", "--json").data, ["mlflow"])
    expect(smallest, run)
    assert smallest.volumes() == {"mlflow_data", "mlflow_tmp"}
