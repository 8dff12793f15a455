"""When `up` fails, it reports which service, in which state, why, and what to type next."""

import re
import time

import pytest

from .conftest import MakeStack
from .docker_stack import DockerStack
from .running import WAIT_TIMEOUT, RunningStack, docker_only, left_to_soak
from .small import SMALLEST
from .tool import Output

OVERRIDE = "it breaks the stack with Compose's override file"
# MinIO reserves `minio`, which S3's rules allow.
FORBIDDEN = "minio"

WRONG_ROOT_KEY = """\
[default]
aws_access_key_id = {}
aws_secret_access_key = another-password
"""


@pytest.fixture(scope="module")
def hopeless(_make_for_module: MakeStack) -> RunningStack:
    """Return a stack whose MLflow never starts because its bucket cannot be created.

    Tests make it fail earlier for other reasons, each with its own override file.
    """
    return _make_for_module(MLFLOW_BUCKET_NAME=FORBIDDEN)


@pytest.fixture(scope="module")
def lonely(_make_for_module: MakeStack) -> RunningStack:
    """Return a stack of MLflow alone, which tests keep from starting in different ways."""
    return _make_for_module(**SMALLEST)


@docker_only(OVERRIDE)
def test_a_wrong_root_password_must_be_reported_and_stop_the_start(hopeless: DockerStack) -> None:
    hopeless.override("secrets: {s3_root_key: {file: ./wrong_root_key}}")
    wrong = hopeless.compose_folder / "wrong_root_key"
    key = WRONG_ROOT_KEY.format(hopeless.settings["MINIO_ROOT_USER"])
    wrong.write_text(key, encoding="utf-8")
    output = failed_at(hopeless, "bucket-init")
    output.shows("MINIO_ROOT_PASSWORD")
    # In the same container, whose log has the output of both starts.
    wrong.write_text("not a file of keys", encoding="utf-8")
    again = failed_at(hopeless, "bucket-init")
    assert "its last lines:" in again.err
    assert "MINIO_ROOT_PASSWORD" not in again.err


@docker_only(OVERRIDE)
def test_an_unreachable_s3_must_be_reported_and_stop_the_start(hopeless: DockerStack) -> None:
    # Without S3_READY, because the job waits for minutes until that URL answers.
    elsewhere = "{S3_ENDPOINT: 'http://s3:9999', S3_READY: !reset null}"
    hopeless.override(f"services: {{bucket-init: {{environment: {elsewhere}}}}}")
    output = failed_at(hopeless, "bucket-init")
    output.shows("http://s3:9999 cannot be reached")


@docker_only("the local S3 server forbids no name")
def test_a_bucket_name_that_the_server_forbids_must_be_reported(hopeless: DockerStack) -> None:
    hopeless.drop_override()
    output = failed_at(hopeless, "bucket-init")
    output.shows("MLFLOW_BUCKET_NAME")


@docker_only(OVERRIDE)
@pytest.mark.parametrize(
    ("service", "command", "words"),
    [
        ("postgres", "[postgres, -c, no_such_parameter=1]", "no_such_parameter"),
        ("s3", "[server, --no-such-flag, /data]", "no-such-flag"),
    ],
)
def test_a_server_that_cannot_start_must_make_up_fail_long_before_the_timeout(
    hopeless: DockerStack, service: str, command: str, words: str
) -> None:
    fails_soon(hopeless, service, command, words)


@left_to_soak("other servers that cannot start take the same steps")
@docker_only(OVERRIDE)
def test_an_mlflow_that_cannot_start_must_make_up_fail_long_before_the_timeout(
    lonely: DockerStack,
) -> None:
    fails_soon(lonely, "mlflow", "[mlflow, server, --no-such-option]", "no-such-option")


def test_a_start_that_takes_too_long_must_end_with_code_3(lonely: RunningStack) -> None:
    if isinstance(lonely, DockerStack):
        lonely.override("services: {mlflow: {command: [sleep, infinity]}}")
    output = lonely.up("--wait-timeout", "1", "--json", code=3)
    (error,) = output.envelope["errors"]
    assert error["code"] == "not_ready"
    assert "1 second" in error["message"]
    assert "--wait-timeout" in error["hint"]


def fails_soon(stack: DockerStack, service: str, command: str, words: str) -> None:
    """Start a stack in which one server has an invalid command."""
    stack.override(f"services: {{{service}: {{command: {command}}}}}")
    start = time.monotonic()
    output = stack.up(code=1)
    assert time.monotonic() - start < WAIT_TIMEOUT / 3
    assert re.search(rf"error: {service} (keeps restarting|ended with exit code)", output.err)
    output.shows(words, f"hint: mlflow-compose logs {service}")


def failed_at(stack: DockerStack, service: str) -> Output:
    """Start a stack that must fail at a service before MLflow is started."""
    output = stack.up(code=1)
    output.shows(f"error: {service} ended with exit code 1", f"hint: mlflow-compose logs {service}")
    assert not stack.was_started("mlflow")
    return output
