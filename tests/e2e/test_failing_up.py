"""When `up` fails, the screen says which service, in which state, why, and what to type next."""

import re
import secrets
import time

import pytest

from .docker_stack import DockerStack
from .running import WAIT_TIMEOUT, RunningStack, docker_only
from .tool import Said

OVERRIDE = "it breaks the stack by Compose's override file"

WRONG_ROOT_KEY = """\
[default]
aws_access_key_id = {}
aws_secret_access_key = another-password
"""


@docker_only(OVERRIDE)
def test_a_wrong_root_password_must_be_named_and_stop_the_start(stack: DockerStack) -> None:
    stack.override("secrets: {s3_root_key: {file: ./wrong_root_key}}")
    wrong = stack.compose_folder / "wrong_root_key"
    wrong.write_text(WRONG_ROOT_KEY.format(stack.settings["MINIO_ROOT_USER"]), encoding="utf-8")
    said = failed_at(stack, "bucket-init")
    said.shows("MINIO_ROOT_PASSWORD")
    # In the same container, whose log has the words of both starts.
    wrong.write_text("not a file of keys", encoding="utf-8")
    again = failed_at(stack, "bucket-init")
    assert "its last lines:" in again.err
    assert "MINIO_ROOT_PASSWORD" not in again.err


@docker_only(OVERRIDE)
def test_an_unreachable_s3_must_be_named_and_stop_the_start(stack: DockerStack) -> None:
    stack.override("services: {bucket-init: {environment: {S3_ENDPOINT: 'http://s3:9999'}}}")
    said = failed_at(stack, "bucket-init")
    said.shows("http://s3:9999 cannot be reached")


@docker_only("the other S3 server forbids no name")
def test_a_bucket_name_that_the_server_forbids_must_be_named(stack: DockerStack) -> None:
    """MinIO keeps `minio` for itself, which S3's rules allow."""
    stack.write(MLFLOW_BUCKET_NAME="minio")
    said = failed_at(stack, "bucket-init")
    said.shows("MLFLOW_BUCKET_NAME")


@docker_only(OVERRIDE)
@pytest.mark.parametrize(
    ("service", "command", "words"),
    [
        ("postgres", "[postgres, -c, no_such_parameter=1]", "no_such_parameter"),
        ("s3", "[server, --no-such-flag, /data]", "no-such-flag"),
        ("mlflow", "[mlflow, server, --no-such-option]", "no-such-option"),
    ],
)
def test_a_server_that_cannot_start_must_fail_up_long_before_the_timeout(
    stack: DockerStack, service: str, command: str, words: str
) -> None:
    stack.override(f"services: {{{service}: {{command: {command}}}}}")
    start = time.monotonic()
    said = stack.up(code=1)
    assert time.monotonic() - start < WAIT_TIMEOUT / 3
    assert re.search(rf"error: {service} (ends again and again|ended with exit code)", said.err)
    said.shows(words, f"hint: mlflow-compose logs {service}")


def test_a_changed_database_password_must_be_named(mended: RunningStack) -> None:
    """The database keeps the password that it was made with."""
    run = mended.log_run()
    with mended.changed(PG_PASSWORD=secrets.token_hex(12)):
        start = time.monotonic()
        said = mended.up(code=1)
        assert time.monotonic() - start < WAIT_TIMEOUT / 3
        said.shows("PostgreSQL refuses PG_PASSWORD")
    mended.up()
    mended.expect(run)


def test_a_start_that_takes_too_long_must_end_with_code_3(stack: RunningStack) -> None:
    said = stack.up("--wait-timeout", "1", "--json", code=3)
    (error,) = said.envelope["errors"]
    assert error["code"] == "not_ready"
    assert "1 second" in error["message"]
    assert "--wait-timeout" in error["hint"]


def failed_at(stack: DockerStack, service: str) -> Said:
    """Start a stack, which must fail at a service before MLflow is started."""
    said = stack.up(code=1)
    said.shows(f"error: {service} ended with exit code 1", f"hint: mlflow-compose logs {service}")
    assert not stack.was_started("mlflow")
    return said
