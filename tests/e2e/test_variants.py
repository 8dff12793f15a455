"""Stacks that differ from the default one in what people change."""

import json
import socket
from pathlib import Path

import pytest

from mlflow_compose.settings import declared
from mlflow_compose.settings.fields import generated_of
from tests.styles import styled

from .conftest import MakeStack
from .docker_stack import docker
from .images import known_images
from .running import RunningStack, docker_only
from .tracking import Api

SECRETS = frozenset(name for name, info in declared() if generated_of(info))


@pytest.fixture
def take_over(make_stack: MakeStack, tmp_path: Path) -> MakeStack:
    """Return what makes a stack with the settings of another one, whose env file has a style."""

    def make(style: str, **settings: str) -> RunningStack:
        return taken_over(make_stack(**settings), style, tmp_path / ".env")

    return make


def taken_over(stack: RunningStack, style: str, theirs: Path) -> RunningStack:
    """Make the env file of a stack anew: from one in a style, and with its own settings."""
    theirs.write_text(styled(style), encoding="utf-8")
    own = {name: value for name, value in stack.settings.items() if name not in SECRETS}
    stack.env_file.unlink()
    pairs = [word for name, value in own.items() for word in ("--set", f"{name}={value}")]
    stack.tool("init", "--from", str(theirs), *pairs)
    return stack


def test_direct_access_must_store_artifacts_without_the_server(take_over: MakeStack) -> None:
    stack = take_over("chains of references", MLFLOW_ARTIFACT_ACCESS="direct")
    stack.tool("up")
    assert stack.sql("SELECT current_user, current_database()") == ["lab|lab_runs"]
    created = stack.api.post("runs/create", experiment_id="0", start_time=0)
    assert created["run"]["info"]["artifact_uri"].startswith(f"s3://{stack.bucket}/0/")


def test_objects_must_be_in_the_folder_that_was_named(make_stack: MakeStack) -> None:
    """A relative one is meant from .env."""
    stack = make_stack(MINIO_VOLUME_PATH="data/objects")
    stack.tool("up")
    logged = stack.log_run()
    # MinIO makes a folder of each object, rclone a file.
    assert (stack.folder / "data/objects" / stack.bucket / logged.key).exists()
    assert stack.volumes() == {"mlflow_tmp", "postgres_data"}


@pytest.fixture(scope="module")
def published(
    _make_for_module: MakeStack, tmp_path_factory: pytest.TempPathFactory
) -> RunningStack:
    """Return a proven stack with the settings of MLflow's own one, and a published database."""
    theirs = tmp_path_factory.mktemp("theirs") / ".env"
    stack = taken_over(_make_for_module(PG_PUBLISH="true"), "postgres and a bucket", theirs)
    stack.tool("up")
    return stack


def test_a_stack_from_another_ones_env_file_must_work(published: RunningStack) -> None:
    assert published.sql("SELECT current_user, current_database()") == ["tracker|runs"]
    published.expect(published.log_run())
    assert published.bucket == "team"


def test_a_published_database_must_answer_on_this_machine(published: RunningStack) -> None:
    port = int(published.settings["PG_PORT"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        # An SSLRequest, the shortest thing to which PostgreSQL alone answers with N or S:
        # https://www.postgresql.org/docs/current/protocol-message-formats.html
        connection.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
        assert connection.recv(1) in {b"N", b"S"}


@docker_only("processes of this machine have no limits of their own")
def test_limits_of_memory_must_reach_the_engine(make_stack: MakeStack) -> None:
    stack = make_stack(MLFLOW_MEMORY="1500m", PG_MEMORY="512m", MINIO_MEMORY="1g")
    stack.up()
    limits = {
        name: json.loads(docker("inspect", id_).out)[0]["HostConfig"]["Memory"]
        for name, id_ in stack.ids().items()
    }
    mebibyte = 1024 * 1024
    assert limits == {
        "mlflow": 1500 * mebibyte,
        "postgres": 512 * mebibyte,
        "s3": 1024 * mebibyte,
        "bucket-init": 0,
    }


@docker_only("the other PostgreSQL is the one in the wheel")
def test_an_older_postgres_must_do(take_over: MakeStack) -> None:
    image = known_images().get("CI_POSTGRES_16_IMAGE", "postgres:16")
    stack = take_over("login", POSTGRES_IMAGE=image)
    stack.tool("up")
    assert stack.sql("SHOW server_version")[0].startswith("16.")
    login = Api(stack.url, ("teacher", stack.settings["MLFLOW_ADMIN_PASSWORD"]))
    assert login.get("users/get", username="teacher")["user"]["is_admin"]


def test_background_jobs_must_come_up_where_they_are_wanted(take_over: MakeStack) -> None:
    stack = take_over("mysql", MLFLOW_JOBS="true")
    stack.tool("up")
    assert "huey" in stack.command_lines("mlflow")


@docker_only("rclone has no console")
def test_the_console_must_be_off_where_it_has_no_address(make_stack: MakeStack) -> None:
    stack = make_stack(MINIO_CONSOLE_ADDRESS="")
    data = stack.tool("up", "--json").data
    assert set(data["urls"]) == {"mlflow", "s3"}
    assert [service["ports"] for service in data["services"] if service["name"] == "s3"] == [
        [f"127.0.0.1:{stack.settings['MINIO_PORT']}"]
    ]


def test_another_bucket_name_and_region_must_do(take_over: MakeStack) -> None:
    other = {"MLFLOW_BUCKET_NAME": "team.blue-7", "AWS_DEFAULT_REGION": "eu-central-1"}
    stack = take_over("colons", **other)
    stack.tool("up")
    assert stack.sql("SELECT current_user, count(*) FROM runs") == ["tracker|0"]
