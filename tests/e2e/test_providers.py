"""Other bundled S3 servers: proven, persistent, restricted if they support it, never mixed up."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import NamedTuple

import pytest
from types_boto3_s3 import S3Client

from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .markers import Markers, Processes, watched_processes
from .running import docker_only
from .security import refused_with
from .small import is_up
from .test_changed_settings import CHANGES, expect_refusals, filled
from .tool import Output

pytestmark = docker_only("without Docker, the S3 server is always rclone")

KEYS = ("MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD")
ONE_KEY = "one key for everything: MINIO_ACCESS_KEY is not limited to the bucket"

# Each server under test, combined with one of the databases.
DATABASES: dict[str, dict[str, str]] = {"versitygw": {}, "rclone": {"BACKEND_STORE": "sqlite"}}

FOREIGN_KEY = "private.txt"
FOREIGN_REQUESTS: dict[str, Callable[[S3Client, str], object]] = {
    "list": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket),
    "get": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=FOREIGN_KEY),
    "put": lambda s3, bucket: s3.put_object(Bucket=bucket, Key="new.txt", Body=b"new"),
    "delete": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=FOREIGN_KEY),
}


class Provided(NamedTuple):
    """A stack with another S3 server, and what was observed during its start."""

    stack: DockerStack
    output: Output
    markers: Markers
    processes: Processes


@pytest.fixture(scope="module")
def provided(_make_for_module: MakeStack) -> Callable[[str], Provided]:
    """Return a function that starts a stack with an S3 server once."""

    @cache
    def start(name: str) -> Provided:
        markers = Markers(*KEYS)
        stack = _make_for_module(S3_PROVIDER=name, **DATABASES[name], **markers.texts)
        assert isinstance(stack, DockerStack)
        with watched_processes(markers) as processes:
            output = stack.tool("up", "--json")
        return Provided(stack, output, markers, processes)

    return start


@pytest.fixture(params=DATABASES)
def other(request: pytest.FixtureRequest, provided: Callable[[str], Provided]) -> Provided:
    """Return a stack with each of the servers under test."""
    return provided(str(request.param))


@pytest.fixture
def versitygw(provided: Callable[[str], Provided]) -> DockerStack:
    """Return a stack whose S3 server has users."""
    return provided("versitygw").stack


def test_the_stack_must_be_proven_step_by_step(other: Provided) -> None:
    data = other.output.data
    services = [service["name"] for service in data["services"]]
    assert services[-3:] == ["s3", "bucket-init", "mlflow"]
    assert ("postgres" in services) is ("BACKEND_STORE" not in other.stack.settings)
    steps = {step["name"]: step for step in data["steps"]}
    assert all(step["ok"] for step in steps.values()), steps
    skipped = "skipped: this S3 server has one key" in steps["isolation"]["detail"]
    assert skipped is other.stack.one_key
    assert "console" not in data["urls"]


def test_a_key_that_is_not_limited_to_the_bucket_must_be_reported(other: Provided) -> None:
    output = other.stack.tool("config")
    found = other.stack.tool("config", "--json").data
    assert found["s3_key_is_limited"] is not other.stack.one_key
    assert (ONE_KEY in output.out) is other.stack.one_key


def test_no_secret_must_show_anywhere(other: Provided) -> None:
    stack, markers = other.stack, other.markers
    label = f"label=com.docker.compose.project={stack.name}"
    containers = docker("ps", "--all", "--quiet", "--filter", label).out.split()
    assert len(containers) == len(stack.ids())
    seen = [
        other.output.text,
        docker("inspect", *containers).text,
        *(docker("logs", container).text for container in containers),
        stack.compose("config").text,
        (stack.compose_folder / "docker-compose.yaml").read_text(encoding="utf-8"),
    ]
    assert markers.found_in(*seen) == set()
    assert other.processes.looks > 10
    assert other.processes.command_lines == other.processes.environments == set()
    # These servers read their keys from their environment only; no other process has them.
    allowed = KEYS[:2] if stack.one_key else KEYS[2:]
    assert other.processes.inside <= set(allowed)


def test_a_second_up_must_change_nothing(other: Provided) -> None:
    before = other.stack.ids(), other.stack.starts()
    output = other.stack.up()
    assert (ONE_KEY in output.text) is other.stack.one_key
    ids, starts = other.stack.ids(), other.stack.starts()
    assert starts == before[1]
    assert {**ids, "bucket-init": ""} == {**before[0], "bucket-init": ""}


def test_a_change_of_the_s3_server_must_be_refused_before_anything_happens(other: Provided) -> None:
    """The new server would start empty, and all artifacts would appear lost."""
    stack, name = other.stack, other.stack.settings["S3_PROVIDER"]
    stack.log_run()
    before, volumes = stack.ids(), stack.volumes()
    rendered = (stack.compose_folder / "docker-compose.yaml").read_bytes()
    with stack.changed(S3_PROVIDER="minio"):
        stack.up(code=1).shows(
            f"in the volume {name}_data",
            f"hint: set S3_PROVIDER={name} back",
        )
        stack.tool("status").shows("running (healthy)")
    assert (stack.ids(), stack.volumes()) == (before, volumes)
    assert (stack.compose_folder / "docker-compose.yaml").read_bytes() == rendered


def test_stored_data_must_survive_down_and_up_and_never_be_hidden(versitygw: DockerStack) -> None:
    """While it is stopped, it does not start on another bucket."""
    full = filled(versitygw)
    versitygw.tool("down")
    expect_refusals(full, CHANGES["bucket"])
    assert not is_up(versitygw)
    versitygw.up()
    versitygw.expect(full.run)
    assert versitygw.volumes() == {"versitygw_data", "postgres_data", "mlflow_tmp"}


def test_stored_objects_must_survive_down_and_a_new_container(
    provided: Callable[[str], Provided],
) -> None:
    """The last test of this stack; test_stores.py shows that the SQLite file survives as well."""
    stack = provided("rclone").stack
    run = stack.log_run()
    stack.tool("down")
    stack.compose("up", "--detach", "--wait", "s3")
    stored = stack.s3().get_object(Bucket=stack.bucket, Key=run.key)["Body"].read()
    assert stored == run.artifact
    assert stack.volumes() == {"rclone_data", "mlflow_data", "mlflow_tmp"}


# --- the application's key, for servers with users


@pytest.fixture
def foreign_bucket(versitygw: DockerStack) -> Iterator[str]:
    """Return another owner's bucket on the same server, with one object in it."""
    with root_bucket(versitygw) as name:
        yield name


@contextmanager
def root_bucket(stack: DockerStack) -> Iterator[str]:
    root, name = stack.s3(stack.root_key), f"foreign-{uuid.uuid4().hex[:8]}"
    root.create_bucket(Bucket=name)
    root.put_object(Bucket=name, Key=FOREIGN_KEY, Body=b"private")
    yield name
    root.delete_object(Bucket=name, Key=FOREIGN_KEY)
    root.delete_bucket(Bucket=name)


@pytest.mark.parametrize("request_", FOREIGN_REQUESTS.values(), ids=FOREIGN_REQUESTS.keys())
def test_the_application_key_must_be_refused_on_another_bucket(
    versitygw: DockerStack, foreign_bucket: str, request_: Callable[[S3Client, str], object]
) -> None:
    assert refused_with(lambda: request_(versitygw.s3(), foreign_bucket)) == "AccessDenied"
    found = versitygw.s3(versitygw.root_key).list_objects_v2(Bucket=foreign_bucket)["Contents"]
    assert [file["Key"] for file in found] == [FOREIGN_KEY]


def test_the_application_key_must_not_create_buckets_or_publish_its_own(
    versitygw: DockerStack,
) -> None:
    application = versitygw.s3()
    create = partial(application.create_bucket, Bucket=f"new-{uuid.uuid4().hex[:8]}")
    assert refused_with(create) == "AccessDenied"
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement = everybody | {"Resource": f"arn:aws:s3:::{versitygw.bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    open_bucket = partial(application.put_bucket_policy, Bucket=versitygw.bucket, Policy=policy)
    assert refused_with(open_bucket) == "AccessDenied"


def test_a_replaced_key_and_access_to_a_former_bucket_must_be_revoked(
    versitygw: DockerStack,
) -> None:
    """The last test of this stack, which keeps using the new bucket."""
    former, old = versitygw.bucket, versitygw.app_key
    versitygw.write(MINIO_ACCESS_KEY="another-key-id", MLFLOW_BUCKET_NAME="another-bucket")
    # The former bucket still has objects of an earlier test.
    versitygw.up("--start-empty")
    list_with_old_key = partial(versitygw.s3(old).list_objects_v2, Bucket="another-bucket")
    assert refused_with(list_with_old_key) == "InvalidAccessKeyId"
    list_former_bucket = partial(versitygw.s3().list_objects_v2, Bucket=former)
    assert refused_with(list_former_bucket) == "AccessDenied"
