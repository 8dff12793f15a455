"""A migration from one store to another loses no data."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote as quote_url

import pytest

from .conftest import MakeStack
from .dvc_project import Project
from .images import image_settings
from .moves import (
    ODD,
    content_type,
    contents,
    has_objects,
    move_unread,
    settings_file,
    target,
    to_database,
)
from .outside import database
from .running import SOAK, Run, RunningStack, docker_only, left_to_soak, local_only
from .security import refused_with
from .small import SMALLEST
from .test_stores import expect_proven
from .tool import SCRIPT, environment
from .tracking import Api
from .waiting import wait_until

# More than one part of an upload, and more than a copy keeps in memory.
LARGE = bytes(range(256)) * (9 * 1024 * 4)
SAME = "the same code copies the same objects on both engines, and this one starts faster"
# Settings that choose the stack's own S3 server, with their defaults.
OWN = {
    "MINIO_ACCESS_KEY": "",
    "MINIO_SECRET_ACCESS_KEY": "",
    "MINIO_PORT": "",
    "MINIO_IMAGE": "",
    "MLFLOW_BUCKET_NAME": "mlflow",
}


def kill_when(
    stack: RunningStack, command: tuple[str, ...], condition: Callable[[], object]
) -> None:
    """Run a command of the tool and kill it as soon as a condition holds."""
    env = environment()
    with subprocess.Popen([SCRIPT, *command], cwd=stack.folder, env=env) as process:
        wait_until(condition, seconds=120, what="objects are copied", poll=0.02)
        process.kill()


@pytest.fixture(scope="module")
def filled(_make_for_module: MakeStack) -> RunningStack:
    """Return a proven stack with a file and a bucket of artifacts, one large, one oddly named."""
    stack = _make_for_module(BACKEND_STORE="sqlite")
    expect_proven(stack.tool("up", "--json").data, ["s3", "bucket-init", "mlflow"])
    assert stack.volumes() == {"mlflow_data", "mlflow_tmp", "minio_data"}
    run, client = stack.log_run(), stack.s3()
    stack.expect(run)
    small = {f"many/{number}": b"%d" % number for number in range(60)}
    for name, content in {"large.bin": LARGE, ODD: b"odd", "empty": b"", **small}.items():
        client.put_object(
            Bucket=stack.bucket,
            Key=f"{run.experiment_id}/{run.id}/artifacts/{name}",
            Body=content,
            ContentType="text/x-odd",
        )
    return stack


def expect_moved(stack: RunningStack, outside: RunningStack, before: dict[str, str]) -> None:
    """Assert that all objects are on the external server and the stack runs none of its own."""
    assert contents(outside, outside.root_key, stack.bucket).items() >= before.items()
    assert "s3" not in stack.starts()


@local_only(SAME)
def test_an_unusable_bucket_must_be_reported_before_anything_stops(
    filled: RunningStack, outside: RunningStack
) -> None:
    before, starts = filled.env_file.read_text(), filled.starts()
    more = settings_file(
        filled.folder, {**target(outside, "never"), "MINIO_ACCESS_KEY": "nobody-knows"}
    )
    output = filled.tool(
        "migrate-store", "--to", f"s3={outside.s3_url}", "--settings", more, code=1
    )
    output.shows("error: the objects cannot be copied", "InvalidAccessKeyId")
    # The stack's own server, under another name of this machine.
    own = filled.s3_url.replace("127.0.0.1", "localhost")
    output = filled.tool("migrate-store", "--to", f"s3={own}", code=2)
    output.shows("lead to this stack's own S3 server")
    assert not [key for key in contents(filled, filled.app_key, filled.bucket) if "probe" in key]
    assert (filled.env_file.read_text(), filled.starts()) == (before, starts)


@local_only(SAME)
def test_a_failed_migration_must_leave_both_sides_unchanged(
    filled: RunningStack, outside: RunningStack
) -> None:
    """The database is checked from MLflow's container or environment, after MLflow was stopped.

    tests/unit/test_migrate.py proves the same for a database that cannot be reached.
    """
    run, before, external = filled.log_run(), filled.env_file.read_text(), database(outside)
    there = f"\\c {external['PG_DATABASE']}\n"
    outside.sql(f"{there}CREATE TABLE users (name text)")
    output = filled.tool("migrate-store", *to_database(filled, external), code=1)
    output.shows(
        *("error: the runs cannot be copied", "is not empty", "hint: choose an empty database")
    )
    assert filled.env_file.read_text() == before
    filled.wait_until_healthy("s3", "mlflow")
    filled.expect(run)
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    assert outside.sql(f"{there}{tables}")[-1:] == ["users"]


@left_to_soak("test_interrupted_migration.py stops others")
@local_only(SAME)
def test_a_killed_copy_must_resume_where_it_stopped_and_be_reversible(
    filled: RunningStack, outside: RunningStack
) -> None:
    """The way back also proves that a closed pipe must not stop a migration."""
    run, own = filled.log_run(), filled.settings
    before = contents(filled, filled.app_key, filled.bucket)
    external, bucket = database(outside), f"killed-{filled.name}"
    there = outside.s3(outside.root_key)
    to = to_database(filled, {**external, **target(outside, bucket)})
    command = ("migrate-store", "--to", f"s3={outside.s3_url}", *to)
    kill_when(filled, command, lambda: has_objects(there, bucket))
    filled.up()
    assert filled.settings["MINIO_PORT"] == own["MINIO_PORT"]
    assert contents(filled, filled.app_key, filled.bucket) == before
    volumes = filled.volumes()

    data = filled.tool(*command, "--json").data
    assert data["objects"]["sent"] < data["objects"]["count"] == len(before)
    assert sorted(data["kept"]) == ["minio_data", "mlflow_data"]
    expect_moved(filled, outside, before)
    assert filled.api.artifact("GET", run.key).content == run.artifact
    stored = f"\\c {external['PG_DATABASE']}\nSELECT run_uuid FROM runs"
    assert run.id in outside.sql(stored)
    assert filled.volumes() == volumes == {"mlflow_data", "mlflow_tmp", "minio_data"}
    later = filled.log_run()

    back = settings_file(
        filled.folder, {name: own.get(name, default) for name, default in OWN.items()}
    )
    move_unread(filled, "migrate-store", "--to", "provider=minio", "--settings", back)
    for logged in (run, later):
        filled.expect(logged)
    assert contents(filled, filled.app_key, filled.bucket).items() >= before.items()
    assert later.id in outside.sql(stored)
    filled.tool("migrate-store", "--prune", code=2).shows("add --yes to confirm")
    services = filled.tool("status", "--json").data["services"]
    assert [service["name"] for service in services] == ["s3", "bucket-init", "mlflow"]
    # The objects are in use again.
    filled.tool("migrate-store", "--prune", "--yes").shows("deleted: mlflow_data")
    assert filled.volumes() == {"minio_data", "mlflow_tmp"}
    filled.expect(filled.log_run())


@left_to_soak("test_to_cluster.py moves the same data")
@pytest.mark.soak
@docker_only("without Docker there is one S3 server")
def test_data_must_move_to_other_servers_of_the_stack(
    request: pytest.FixtureRequest, filled: RunningStack, dvc: Path, tmp_path: Path
) -> None:
    """DVC's data moves along; inside of the stack, its key stays the same."""
    project = Project(tmp_path / "project", filled, dvc)
    project.create()
    project.init()
    project.s3.put_object(Bucket=project.bucket, Key="data", Body=LARGE)
    run = filled.log_run()
    before = contents(filled, filled.app_key, filled.bucket)
    # The user's own bucket, which an experiment names.
    filled.s3(filled.root_key).create_bucket(Bucket="thesis")
    filled.api.post("experiments/create", name="thesis", artifact_location="s3://thesis/1")
    image = {"MINIO_IMAGE": image_settings("versitygw").get("MINIO_IMAGE", "")}
    more = settings_file(filled.folder, image)
    data = filled.tool(
        *("migrate-store", "--to", "postgres=postgres", "--to", "provider=versitygw"),
        *("--settings", more, "--json"),
    ).data
    assert sorted(data["kept"]) == ["minio_data", "mlflow_data"]
    assert data["dvc_buckets"]["dvc"]["count"] == 2
    expect_separate(project)
    assert data["other_buckets"] == ["thesis"]
    assert data["other_locations"] == {"thesis": 1}
    assert data["objects"]["count"] == len(before)
    assert filled.settings["S3_PROVIDER"] == "versitygw"
    assert contents(filled, filled.app_key, filled.bucket) == before
    assert set(filled.ids()) == {"postgres", "s3", "bucket-init", "mlflow"}
    assert run.id in filled.stored_runs()
    filled.expect(run)
    if os.environ.get(SOAK) == "1":
        to_an_external_server(filled, request.getfixturevalue("outside"), project, run)


def to_an_external_server(
    filled: RunningStack, outside: RunningStack, project: Project, run: Run
) -> None:
    """Move the objects on, by the code that another test runs without Docker in CI."""
    before = contents(filled, filled.app_key, filled.bucket)
    kind = content_type(filled, filled.app_key, filled.bucket)
    volumes = filled.volumes()

    more = settings_file(filled.folder, target(outside, f"moved-{filled.name}"))
    data = filled.tool(
        "migrate-store", "--to", f"s3={outside.s3_url}", "--settings", more, "--json"
    ).data
    assert data["objects"]["count"] == data["objects"]["sent"] == len(before)
    expect_moved(filled, outside, before)
    assert content_type(outside, outside.root_key, filled.bucket) == kind == "text/x-odd"
    assert filled.api.artifact("GET", run.key).content == run.artifact
    assert set(filled.ids()) == {"postgres", "bucket-init", "mlflow"}
    assert filled.volumes() == volumes
    expect_external(project, outside)
    output = filled.tool("migrate-store", "--prune", "--yes")
    output.shows(
        "deleted: mlflow_data, versitygw_data", "minio_data was not deleted", "docker volume rm"
    )
    assert filled.volumes() == {"minio_data", "postgres_data", "mlflow_tmp"}


def expect_separate(project: Project) -> None:
    """Assert that DVC's data is there, and that neither key may use the other's bucket."""
    stack = project.stack
    found = project.s3.get_object(Bucket=project.bucket, Key="data")["Body"].read()
    assert found == LARGE
    for owner, foreign in {project.key: stack.bucket, stack.app_key: project.bucket}.items():
        request = partial(stack.s3(owner).list_objects_v2, Bucket=foreign)
        assert refused_with(request) == "AccessDenied"
    before = project.contents()
    project.init()
    assert project.contents() == before


def expect_external(project: Project, outside: RunningStack) -> None:
    """Assert that a project can use its data on an external server, after `dvc init`."""
    assert project.init("--json").data["endpoint"] == outside.s3_url
    there = replace(project, stack=outside)
    found = outside.s3(project.read_key()).get_object(Bucket=there.bucket, Key="data")
    assert found["Body"].read() == LARGE
    there.remove_bucket()


def runs(api: Api, experiments: list[str]) -> dict[str, Any]:
    """Return every run of these experiments as MLflow reports it, by id."""
    found = api.post("runs/search", experiment_ids=experiments, max_results=1000)["runs"]
    return {run["info"]["run_id"]: run for run in found}


@local_only("the other test moves the data of a stack on Docker to its own servers")
def test_the_smallest_stack_must_become_the_full_one_and_keep_working(
    make_stack: MakeStack,
) -> None:
    """The stack has a login before and after, with which the migration proves it."""
    stack = make_stack(**SMALLEST, MLFLOW_AUTH="basic")
    stack.up()
    assert Api(stack.url).call("GET", "/version").status_code == 401
    login = ("admin", stack.settings["MLFLOW_ADMIN_PASSWORD"])
    api = Api(stack.url, login)
    logged = [stack.log_run(api) for _ in range(3)]
    folder = logged[0].key.rpartition("/")[0]
    api.artifact("PUT", f"{folder}/{quote_url(ODD)}", b"odd")
    api.post("registered-models/create", name="model ü")
    api.post("users/create", username="ada", password="analytical-engine")
    experiments = [run.experiment_id for run in logged]
    before = runs(api, experiments)

    images = {name: text for name, text in image_settings().items() if name == "MINIO_IMAGE"}
    more = settings_file(stack.folder, images)
    data = stack.tool(
        *("migrate-store", "--to", "postgres=postgres", "--to", "provider=minio"),
        *("--settings", more, "--json"),
    ).data
    assert data["rows"]["runs"] == data["rows"]["metrics"] == len(logged)
    assert data["objects"]["count"] == len(logged) + 1
    assert data["kept"] == ["mlflow_data"]
    services = [service["name"] for service in stack.tool("status", "--json").data["services"]]
    assert services == ["postgres", "s3", "bucket-init", "mlflow"]
    assert runs(api, experiments) == before
    assert stack.sql("SELECT count(*) FROM runs")[-1] == str(len(logged))
    assert api.get("registered-models/get", name="model ü")
    assert Api(stack.url, ("ada", "analytical-engine")).call("GET", "/version").status_code == 200
    for run in logged:
        stack.expect(run, api)
    later = stack.log_run(api)
    assert later.experiment_id not in experiments
    stack.expect(later, api)
    stack.tool("down", "--volumes", "--yes")
    assert stack.volumes() == set()
