"""Least privilege on a running stack: each service and key may only do what it needs."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from minio.error import MinioAdminException
from types_boto3_s3 import S3Client

from .docker_stack import DockerStack, docker
from .running import docker_only
from .security import administration, answers, other_addresses, refused_with

pytestmark = docker_only("it is about containers, and keys that only MinIO has")

CONFINED = ("mlflow", "bucket-init")
SERVICES = ("postgres", "s3", *CONFINED)
# Secrets that each service gets, and no others.
SECRETS = {
    "postgres": {"pg_password"},
    "s3": {"minio_root_user", "minio_root_password"},
    "bucket-init": {"s3_root_key", "s3_app_key"},
    "mlflow": {"pg_service.conf", "s3_app_key", "mlflow_env"},
}
CLOSED = ("/", "/opt/mlflow", "/usr/local/bin", "/etc", "/run/secrets")
COMPILERS = ("gcc", "cc", "g++", "c++", "clang", "make", "ld")
NO_PRIVILEGES = {
    **{f"Cap{kind}": f"{0:016x}" for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")},
    "NoNewPrivs": "1",
    "Uid": "\t".join(["10001"] * 4),
    "Gid": "\t".join(["10001"] * 4),
}
OPEN_TO_ALL = {
    "Effect": "Allow",
    "Principal": {"AWS": ["*"]},
    "Action": ["s3:GetObject"],
}

FOREIGN_KEY = "private.txt"
FOREIGN_REQUESTS: dict[str, Callable[[S3Client, str], object]] = {
    "list": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket),
    "get": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=FOREIGN_KEY),
    "put": lambda s3, bucket: s3.put_object(Bucket=bucket, Key="new.txt", Body=b"new"),
    "delete": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key=FOREIGN_KEY),
}


@pytest.fixture(scope="module")
def containers(shared: DockerStack) -> Mapping[str, Any]:
    """Return `docker inspect` of every container, by service."""
    return shared.containers()


@pytest.fixture
def foreign_bucket(shared: DockerStack) -> Iterator[str]:
    """Return another owner's bucket on the same server, with one object in it."""
    root, name = shared.s3(shared.root_key), f"foreign-{uuid.uuid4().hex[:8]}"
    root.create_bucket(Bucket=name)
    root.put_object(Bucket=name, Key=FOREIGN_KEY, Body=b"private")
    yield name
    for key in keys(root, name):
        root.delete_object(Bucket=name, Key=key)
    root.delete_bucket(Bucket=name)


# --- the application's S3 key


@pytest.mark.parametrize("request_", FOREIGN_REQUESTS.values(), ids=FOREIGN_REQUESTS.keys())
def test_the_application_key_must_be_refused_on_another_bucket(
    shared: DockerStack, foreign_bucket: str, request_: Callable[[S3Client, str], object]
) -> None:
    assert refused_with(lambda: request_(shared.s3(), foreign_bucket)) == "AccessDenied"
    assert keys(shared.s3(shared.root_key), foreign_bucket) == [FOREIGN_KEY]


def test_the_application_key_must_not_see_other_buckets(
    shared: DockerStack, foreign_bucket: str
) -> None:
    root, application = shared.s3(shared.root_key), shared.s3()
    everything = [bucket["Name"] for bucket in root.list_buckets()["Buckets"]]
    assert {foreign_bucket, shared.bucket} <= set(everything)
    seen = [bucket["Name"] for bucket in application.list_buckets()["Buckets"]]
    assert seen == [shared.bucket]


def test_the_application_key_must_not_create_buckets_or_publish_its_own(
    shared: DockerStack,
) -> None:
    application, name = shared.s3(), f"new-{uuid.uuid4().hex[:8]}"
    assert refused_with(lambda: application.create_bucket(Bucket=name)) == "AccessDenied"
    statement = OPEN_TO_ALL | {"Resource": [f"arn:aws:s3:::{shared.bucket}/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    open_bucket = partial(application.put_bucket_policy, Bucket=shared.bucket, Policy=policy)
    assert refused_with(open_bucket) == "AccessDenied"


def test_the_application_key_must_not_administer_the_s3_server(shared: DockerStack) -> None:
    application = administration(shared, shared.app_key)
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        application.user_list()
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        application.user_add(f"new-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex)
    users = json.loads(administration(shared, shared.root_key).user_list())
    # Scenarios of DVC add users for their buckets.
    assert shared.app_key[0] in users
    assert shared.root_key[0] not in users


# --- secrets of services


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_must_get_only_the_secrets_that_it_needs(
    containers: Mapping[str, Any], service: str
) -> None:
    mounts = containers[service]["Mounts"]
    secrets = [mount for mount in mounts if mount["Destination"].startswith("/run/secrets")]
    assert {mount["Destination"].removeprefix("/run/secrets/") for mount in secrets} == SECRETS[
        service
    ]
    assert not any(mount["RW"] for mount in secrets)
    assert not any("docker.sock" in mount["Source"] for mount in mounts)


def test_mlflow_must_not_have_the_root_key(shared: DockerStack) -> None:
    """Neither in a readable file nor in the environment of any of its processes."""
    script = "find /run/secrets -type f -exec cat {} + && cat /proc/[0-9]*/environ 2>/dev/null"
    readable = shared.execute("mlflow", "sh", "-c", f"{script}; env")
    # The search finds MLflow's own key, which proves that it works.
    assert all(part in readable for part in shared.app_key)
    assert not any(part in readable for part in shared.root_key)
    # The same for all readable files; -o prints the pattern that was found.
    search = "grep -rhosF --exclude-dir=proc --exclude-dir=sys -f - / || test $? -lt 3"
    patterns = "\n".join((*shared.root_key, *shared.app_key))
    found = shared.execute("mlflow", "sh", "-c", search, given=patterns).split()
    assert set(found) == set(shared.app_key)


# --- privileges of containers


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_must_not_be_privileged(
    shared: DockerStack, containers: Mapping[str, Any], service: str
) -> None:
    host = containers[service]["HostConfig"]
    assert host["Privileged"] is False
    assert host["CapAdd"] is None
    assert "no-new-privileges:true" in host["SecurityOpt"]
    modes = (host["PidMode"], host["UTSMode"], host["UsernsMode"])
    assert modes == ("", "", "")
    assert host["NetworkMode"] == f"{shared.name}_backend"
    assert not host["Devices"]


@pytest.mark.parametrize("service", CONFINED)
def test_our_own_containers_must_be_confined(containers: Mapping[str, Any], service: str) -> None:
    container = containers[service]
    assert container["Config"]["User"] == "10001:10001"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]


def test_the_tracking_server_must_have_no_privileges(shared: DockerStack) -> None:
    found = parse_status(shared.execute("mlflow", "cat", "/proc/1/status"))
    assert found == NO_PRIVILEGES


def test_the_bucket_job_must_have_no_privileges(shared: DockerStack) -> None:
    """Checked in a new container with the job's configuration, since the job has exited."""
    output = shared.compose(
        "run", "--rm", "--no-deps", "-T", "bucket-init", "cat", "/proc/1/status"
    )
    assert parse_status(output.out) == NO_PRIVILEGES


@pytest.mark.parametrize("user", ["10001", "0"], ids=["as itself", "as root"])
def test_the_tracking_servers_files_must_not_be_writable(shared: DockerStack, user: str) -> None:
    script = 'for folder in "$@"; do touch "$folder/written" && echo "$folder"; done; true'
    argv = ("exec", "--user", user, shared.ids()["mlflow"], "sh", "-c", script, "sh", *CLOSED)
    output = docker(*argv)
    assert output.out == ""
    errors = output.err.splitlines()
    assert len(errors) == len(CLOSED)
    refusals = ("Read-only file system", "Permission denied")
    assert all(any(refusal in line for refusal in refusals) for line in errors), errors


def test_the_image_must_not_contain_a_compiler_or_run_as_root(shared: DockerStack) -> None:
    script = f"for name in {' '.join(COMPILERS)}; do command -v $name; done; true"
    assert shared.execute("mlflow", "sh", "-c", script) == ""
    image = json.loads(docker("image", "inspect", shared.image("mlflow")).out)[0]
    assert image["Config"]["User"] == "10001:10001"


# --- network access


def test_published_ports_must_be_bound_to_loopback_only(
    shared: DockerStack, containers: Mapping[str, Any]
) -> None:
    bound = {name: bindings(container) for name, container in containers.items()}
    settings = shared.settings
    assert bound == {
        "mlflow": {("127.0.0.1", settings["MLFLOW_PORT"])},
        "s3": {
            ("127.0.0.1", settings["MINIO_PORT"]),
            ("127.0.0.1", settings["MINIO_CONSOLE_ADDRESS"].removeprefix(":")),
        },
        "postgres": set(),
        "bucket-init": set(),
    }


def test_other_machines_must_not_reach_a_published_port(containers: Mapping[str, Any]) -> None:
    """Simulated by connecting to this machine's addresses other than loopback."""
    ports = [int(port) for container in containers.values() for _, port in bindings(container)]
    assert len(ports) == 3
    assert all(answers("127.0.0.1", port) for port in ports)
    addresses = other_addresses()
    assert addresses, "this machine has no address but loopback"
    assert [(host, port) for host in addresses for port in ports if answers(host, port)] == []


def keys(s3: S3Client, bucket: str) -> list[str]:
    """Return the keys of a bucket's objects."""
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def bindings(container: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the host addresses and ports that a container publishes."""
    published = container["NetworkSettings"]["Ports"].values()
    return {(one["HostIp"], one["HostPort"]) for ports in published for one in ports or ()}


def parse_status(text: str) -> dict[str, str]:
    """Return the lines about privileges of a /proc/PID/status file."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs if name in NO_PRIVILEGES}
