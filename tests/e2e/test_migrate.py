"""Nothing that a stack keeps is lost on the way from one store to another."""

import hashlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as quote_url

import pytest

from mlflow_compose.settings.quoting import quote

from .conftest import MakeStack
from .images import image_settings
from .outside import database, objects
from .running import RunningStack, docker_only, local_only
from .tool import SCRIPT, environment
from .tracking import Api
from .waiting import wait_until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

LARGE = bytes(range(256)) * (20 * 1024 * 4)
SAME = "the same code copies the same objects on both engines, and this one starts sooner"
ODD = "a folder/ü & 漢 (1).txt"


def contents(stack: RunningStack, key: tuple[str, str], bucket: str) -> dict[str, str]:
    """Return the SHA-256 of every object in a bucket of a stack's S3 server."""
    client = stack.s3(key)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [file["Key"] for page in pages for file in page.get("Contents", [])]
    return {
        key: hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()
        for key in keys
    }


def has_some(client: "S3Client", bucket: str) -> bool:
    """Tell whether there is an object in a bucket that may not be there yet."""
    names = [found["Name"] for found in client.list_buckets()["Buckets"]]
    return bucket in names and "Contents" in client.list_objects_v2(Bucket=bucket)


def written(folder: Path, settings: dict[str, str]) -> str:
    """Write what else changes as `--settings` takes it."""
    path = folder / "new.env"
    path.write_text("".join(f"{name}={quote(value)}\n" for name, value in settings.items()))
    return str(path)


def target(outside: RunningStack, bucket: str) -> dict[str, str]:
    """Return the settings by which a bucket of its own is used there."""
    root, secret = outside.root_key
    return {
        **{name: value for name, value in objects(outside).items() if name.endswith("_KEY")},
        "MINIO_ACCESS_KEY": root,
        "MINIO_SECRET_ACCESS_KEY": secret,
        "MLFLOW_BUCKET_NAME": bucket,
        "MLFLOW_BUCKET_CREATE": "true",
    }


@pytest.fixture
def filled(make_stack: MakeStack) -> RunningStack:
    """Return a small running stack with artifacts, one of them large, one oddly named."""
    stack = make_stack(BACKEND_STORE="sqlite")
    stack.up()
    run, client = stack.log_run(), stack.s3()
    small = {f"many/{number}": b"%d" % number for number in range(200)}
    for name, content in {"large.bin": LARGE, ODD: b"odd", "empty": b"", **small}.items():
        client.put_object(
            Bucket=stack.bucket,
            Key=f"{run.experiment_id}/{run.id}/artifacts/{name}",
            Body=content,
            ContentType="text/x-odd",
        )
    return stack


def test_objects_must_move_to_a_server_of_ones_own_and_back(
    filled: RunningStack, outside: RunningStack
) -> None:
    run = filled.log_run()
    before = contents(filled, filled.app_key, filled.bucket)
    own_volumes, own_settings = filled.volumes(), filled.settings
    there = target(outside, bucket := f"moved-{filled.name}")
    more = written(filled.folder, there)
    data = filled.tool(
        "migrate-store", "--to", f"s3={outside.s3_url}", "--settings", more, "--json"
    ).data
    assert data["objects"]["count"] == data["objects"]["sent"] == len(before)
    assert contents(outside, outside.root_key, bucket).items() >= before.items()
    kind = outside.s3(outside.root_key).head_object(Bucket=bucket, Key=next(iter(before)))
    assert kind["ContentType"]
    assert "s3" not in filled.starts()
    assert filled.api.artifact("GET", run.key).content == run.artifact
    assert filled.volumes() == own_volumes
    later = filled.log_run()

    back = written(
        filled.folder,
        {
            name: own_settings.get(name, default)
            for name, default in (
                ("MINIO_ACCESS_KEY", ""),
                ("MINIO_SECRET_ACCESS_KEY", ""),
                ("MINIO_PORT", ""),
                ("MINIO_IMAGE", ""),
                ("MLFLOW_BUCKET_NAME", "mlflow"),
            )
        },
    )
    filled.tool("migrate-store", "--to", "provider=minio", "--settings", back)
    for kept in (run, later):
        filled.expect(kept)
    assert contents(filled, filled.app_key, filled.bucket).items() >= before.items()


def runs(api: Api, experiments: list[str]) -> dict[str, Any]:
    """Return every run of these experiments as MLflow tells it, by its id."""
    found = api.post("runs/search", experiment_ids=experiments, max_results=1000)["runs"]
    return {run["info"]["run_id"]: run for run in found}


def test_the_smallest_stack_must_become_the_whole_one_and_go_on(make_stack: MakeStack) -> None:
    stack = make_stack(BACKEND_STORE="sqlite", ARTIFACT_STORE="local", MLFLOW_AUTH="basic")
    stack.up()
    login = ("admin", stack.settings["MLFLOW_ADMIN_PASSWORD"])
    api = Api(stack.url, login)
    made = [stack.log_run(api) for _ in range(3)]
    folder = made[0].key.rpartition("/")[0]
    api.artifact("PUT", f"{folder}/{quote_url(ODD)}", b"odd")
    api.post("registered-models/create", name="model ü")
    api.post("users/create", username="ada", password="analytical-engine")
    experiments = [run.experiment_id for run in made]
    before = runs(api, experiments)

    images = {name: text for name, text in image_settings().items() if name == "MINIO_IMAGE"}
    more = written(stack.folder, images)
    data = stack.tool(
        *("migrate-store", "--to", "postgres=postgres", "--to", "provider=minio"),
        *("--settings", more, "--json"),
    ).data
    assert data["rows"]["runs"] == data["rows"]["metrics"] == len(made)
    assert data["objects"]["count"] == len(made) + 1
    assert data["kept"] == ["mlflow_data"]
    services = [service["name"] for service in stack.tool("status", "--json").data["services"]]
    assert services == ["postgres", "s3", "bucket-init", "mlflow"]
    assert runs(api, experiments) == before
    assert stack.sql("SELECT count(*) FROM runs")[-1] == str(len(made))
    assert api.get("registered-models/get", name="model ü")
    assert Api(stack.url, ("ada", "analytical-engine")).call("GET", "/version").status_code == 200
    for run in made:
        stack.expect(run, api)
    later = stack.log_run(api)
    assert later.experiment_id not in experiments
    stack.expect(later, api)
    stack.tool("down", "--volumes", "--yes")
    assert stack.volumes() == set()


@local_only(SAME)
def test_a_bucket_that_cannot_be_used_must_be_named_before_anything_stops(
    filled: RunningStack, outside: RunningStack
) -> None:
    before, starts = filled.env_file.read_text(), filled.starts()
    more = written(filled.folder, {**target(outside, "never"), "MINIO_ACCESS_KEY": "nobody-knows"})
    said = filled.tool("migrate-store", "--to", f"s3={outside.s3_url}", "--settings", more, code=1)
    said.shows("error: the objects cannot be copied", "InvalidAccessKeyId")
    assert (filled.env_file.read_text(), filled.starts()) == (before, starts)


@local_only(SAME)
def test_what_fails_on_the_way_must_leave_the_stack_as_it_was(filled: RunningStack) -> None:
    """The database is asked from where MLflow runs, which is stopped then."""
    run, before = filled.log_run(), filled.env_file.read_text()
    said = filled.tool("migrate-store", "--to", "postgres=no.such.host.invalid", code=1)
    said.shows("error: there is no machine called as PG_HOST says")
    assert filled.env_file.read_text() == before
    filled.wait_until_healthy("s3", "mlflow")
    filled.expect(run)


@local_only(SAME)
def test_a_database_that_is_not_empty_must_be_left_as_it_is(
    filled: RunningStack, outside: RunningStack
) -> None:
    theirs = database(outside)
    names = {name: text for name, text in theirs.items() if name not in {"PG_HOST", "PG_PORT"}}
    more = written(filled.folder, names)
    to = ("migrate-store", "--to", f"postgres={theirs['PG_HOST']}:{theirs['PG_PORT']}")
    there = f"\\c {theirs['PG_DATABASE']}\n"
    outside.sql(f"{there}CREATE TABLE users (name text)")
    said = filled.tool(*to, "--settings", more, code=1)
    said.shows("error: the runs cannot be copied", "is not empty", "hint: name an empty database")
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    assert outside.sql(f"{there}{tables}")[-1:] == ["users"]
    outside.sql(f"{there}DROP TABLE users")
    filled.tool(*to, "--settings", more)
    filled.verify()


@local_only(SAME)
def test_a_copy_that_was_killed_must_go_on_where_it_ended(
    filled: RunningStack, outside: RunningStack
) -> None:
    before = contents(filled, filled.app_key, filled.bucket)
    more = written(filled.folder, target(outside, bucket := f"killed-{filled.name}"))
    command = ("migrate-store", "--to", f"s3={outside.s3_url}", "--settings", more)
    client = outside.s3(outside.root_key)
    env = environment()
    with subprocess.Popen([SCRIPT, *command], cwd=filled.folder, env=env) as process:
        wait_until(lambda: has_some(client, bucket), seconds=120, what="objects are copied")
        process.kill()
    filled.up()
    assert filled.settings["MINIO_PORT"] != outside.settings["MINIO_PORT"]
    assert contents(filled, filled.app_key, filled.bucket) == before
    data = filled.tool(*command, "--json").data
    assert data["objects"]["sent"] < data["objects"]["count"] == len(before)
    assert contents(outside, outside.root_key, bucket).items() >= before.items()
    assert filled.volumes() == {"mlflow_data", "mlflow_tmp", "minio_data"}
    filled.tool("migrate-store", "--prune", code=2).shows("add --yes to agree")
    filled.tool("migrate-store", "--prune", "--yes").shows("deleted: minio_data")
    assert filled.volumes() == {"mlflow_data", "mlflow_tmp"}
    filled.verify()


@docker_only("without Docker there is one S3 server")
def test_objects_must_move_to_another_provider(filled: RunningStack) -> None:
    run = filled.log_run()
    before = contents(filled, filled.app_key, filled.bucket)
    image = {"MINIO_IMAGE": image_settings("versitygw").get("MINIO_IMAGE", "")}
    more = written(filled.folder, image)
    data = filled.tool(
        "migrate-store", "--to", "provider=versitygw", "--settings", more, "--json"
    ).data
    assert data["kept"] == ["minio_data"]
    assert data["objects"]["count"] == len(before)
    assert filled.settings["S3_PROVIDER"] == "versitygw"
    assert contents(filled, filled.app_key, filled.bucket) == before
    services = filled.tool("status", "--json").data["services"]
    assert [service["name"] for service in services] == ["s3", "bucket-init", "mlflow"]
    filled.expect(run)
    filled.tool("migrate-store", "--prune", "--yes").shows("deleted: minio_data")
    assert filled.volumes() == {"versitygw_data", "mlflow_data", "mlflow_tmp"}
