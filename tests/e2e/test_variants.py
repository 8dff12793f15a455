"""Stacks with settings that people often change, created from env files of other stacks.

Reading such a file is the same on both engines, so each style of file is tested on one engine; unit
tests have all of them. One stack per engine has all changed settings that the engine supports,
except that background jobs, nine more processes of the same server, only run on Docker.
"""

import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from mlflow_compose.settings import declared
from mlflow_compose.settings.fields import generated_of
from tests.styles import styled

from .conftest import ColdStart, MakeStack
from .docker_stack import DockerStack
from .images import known_images
from .running import RunningStack, docker_only, left_to_soak, local_only
from .tracking import Api

TakeOver = Callable[..., ColdStart]

ONCE = "an env file is read the same way on both engines; the other one runs this style"
SECRETS = frozenset(name for name, info in declared() if generated_of(info))
# A relative folder is relative to .env.
FOLDER = "data/objects"
CHANGED = {"MINIO_VOLUME_PATH": FOLDER, "PG_PUBLISH": "true"}
RENAMED = {"MLFLOW_BUCKET_NAME": "team.blue-7", "AWS_DEFAULT_REGION": "eu-central-1"}
# More server processes, larger pools and buffers.
FAST = {"STACK_PROFILE": "fast", "MLFLOW_WORKERS": "4"}
# Jobs could fail on the container's read-only file system.
SMALL = {"STACK_PROFILE": "small", "MLFLOW_JOBS": "true", "MINIO_CONSOLE_ADDRESS": ""}
LIMITS = {"MLFLOW_MEMORY": "3500m", "PG_MEMORY": "512m", "MINIO_MEMORY": "1g"}
MEBIBYTE = 1024 * 1024


@pytest.fixture
def take_over(make_stack: MakeStack, tmp_path: Path) -> TakeOver:
    """Return a function that starts a stack from a foreign env file and settings."""

    def make(styles: Sequence[str], settings: Mapping[str, str], *options: str) -> ColdStart:
        stack = taken_over(make_stack(**settings), styles, tmp_path / ".env")
        return ColdStart(stack, stack.tool("up", "--json", *options))

    return make


def taken_over(stack: RunningStack, styles: Sequence[str], foreign: Path) -> RunningStack:
    """Replace a stack's env file: generate it from a foreign one and the stack's own settings."""
    foreign.write_text("".join(map(styled, styles)), encoding="utf-8")
    own = {name: value for name, value in stack.settings.items() if name not in SECRETS}
    stack.env_file.unlink()
    pairs = [word for name, value in own.items() for word in ("--set", f"{name}={value}")]
    stack.tool("init", "--from", str(foreign), *pairs)
    return stack


@left_to_soak("each of these settings is tested elsewhere")
@local_only(ONCE)
def test_an_objects_folder_a_published_database_and_more_processes_must_work(
    take_over: TakeOver,
) -> None:
    stack, _ = take_over(["colons"], {**CHANGED, **RENAMED, **FAST}, "--no-verify")
    assert stack.sql("SELECT current_user, current_database()") == ["tracker|mlflow"]
    expect_changed(stack)
    assert stack.sql("SHOW shared_buffers") == ["256MB"]
    # Four processes with larger pools.
    assert stack.sql("SHOW max_connections") == ["260"]


def expect_changed(stack: RunningStack) -> None:
    """Assert that objects are in the chosen bucket and folder, and the database is published."""
    assert stack.bucket == "team.blue-7"
    run = stack.log_run()
    stack.expect(run)
    # MinIO stores each object as a folder, rclone as a file.
    assert (stack.folder / FOLDER / stack.bucket / run.key).exists()
    assert stack.volumes() == {"mlflow_tmp", "postgres_data"}
    assert is_postgres(int(stack.settings["PG_PORT"])), "the database must answer on this machine"


def is_postgres(port: int) -> bool:
    """Tell whether PostgreSQL answers on a port of this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        # An SSLRequest, the shortest message that only PostgreSQL answers with N or S:
        # https://www.postgresql.org/docs/current/protocol-message-formats.html
        connection.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
        return connection.recv(1) in {b"N", b"S"}


def test_direct_access_must_store_artifacts_without_the_server(outside: RunningStack) -> None:
    outside.verify()
    admin = Api(outside.url, ("admin", outside.settings["MLFLOW_ADMIN_PASSWORD"]))
    experiment = admin.post("experiments/create", name=uuid.uuid4().hex)["experiment_id"]
    run = admin.post("runs/create", experiment_id=experiment, start_time=0)["run"]["info"]
    assert run["artifact_uri"].startswith(f"s3://{outside.bucket}/{experiment}/")


@left_to_soak("each of these settings is tested elsewhere")
@docker_only("the local engine has one PostgreSQL version, no memory limits and no console")
def test_an_older_postgres_other_names_limits_jobs_and_no_console_must_work(
    take_over: TakeOver,
) -> None:
    older = {"POSTGRES_IMAGE": known_images().get("CI_POSTGRES_16_IMAGE", "postgres:16")}
    settings = {**older, **RENAMED, **CHANGED, **LIMITS, **SMALL}
    stack, output = take_over(["login", "chains of references"], settings)
    assert isinstance(stack, DockerStack)
    assert stack.sql("SELECT current_user, current_database()") == ["lab|lab_runs"]
    assert stack.sql("SHOW server_version")[0].startswith("16.")
    login = Api(stack.url, ("teacher", stack.settings["MLFLOW_ADMIN_PASSWORD"]))
    assert login.get("users/get", username="teacher")["user"]["is_admin"]
    assert stack.sql("SELECT count(*) FROM runs") == ["0"]
    assert stack.objects() == {}
    expect_changed(stack)
    assert stack.sql("SHOW shared_buffers") == ["32MB"]
    assert "huey" in stack.command_lines("mlflow")
    memory = {name: box["HostConfig"]["Memory"] for name, box in stack.containers().items()}
    assert memory == {
        "mlflow": 3500 * MEBIBYTE,
        "postgres": 512 * MEBIBYTE,
        "s3": 1024 * MEBIBYTE,
        "bucket-init": 0,
    }
    assert set(output.data["urls"]) == {"mlflow", "s3"}
    ports = {service["name"]: service["ports"] for service in output.data["services"]}
    assert ports["s3"] == [f"127.0.0.1:{stack.settings['MINIO_PORT']}"]
